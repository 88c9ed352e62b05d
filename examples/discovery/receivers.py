"""What Discovery does with events of the CMS."""

from __future__ import annotations

import time
from typing import Any

from django.db import transaction
from django.dispatch import receiver
from django.utils import timezone
from openedx_events.content_authoring.data import CourseCatalogData
from openedx_events.content_authoring.signals import COURSE_CATALOG_INFO_CHANGED
from openedx_events.data import EventsMetadata

from examples.discovery.models import CourseRun, CourseRunChange, Reindexing


@receiver(COURSE_CATALOG_INFO_CHANGED)
@transaction.atomic  # the catalog, its history and its event to others: all, or the event comes again for all
def update_course_run(catalog_info: CourseCatalogData, metadata: EventsMetadata, **_: Any) -> None:
    """
    A course run was created or edited in Studio.

    An event may come twice, and an old one after a newer: both are told by the time of the change, and leave no trace.
    """
    course_key = str(catalog_info.course_key)
    known = CourseRun.objects.select_for_update().filter(course_key=course_key).first()
    if known and known.edited_at and known.edited_at >= metadata.time:
        return
    run = known or CourseRun(course_key=course_key)
    run.title, run.hidden, run.edited_at = catalog_info.name, catalog_info.hidden, metadata.time
    run.start, run.end = catalog_info.schedule_data.start, catalog_info.schedule_data.end
    CourseRunChange.objects.create(course_key=course_key, title=run.title, hidden=run.hidden)
    run.publish()


@receiver(COURSE_CATALOG_INFO_CHANGED)
def index_course_run(catalog_info: CourseCatalogData, **_: Any) -> None:
    """
    Let it be found. A receiver of its own: if the search engine is away, this is tried again, the catalog is not.

    It may take minutes. Receivers run beside the thread that talks to Kafka, so the group keeps its member; only events
    of the same course wait.
    """
    course_key = str(catalog_info.course_key)
    while Reindexing.objects.filter(course_key=course_key).exists():
        time.sleep(0.1)
    CourseRun.objects.filter(course_key=course_key).update(indexed_at=timezone.now())
