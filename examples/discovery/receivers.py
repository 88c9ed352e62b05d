"""The receivers of Discovery, for events of the CMS."""

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
@transaction.atomic  # catalog, history and emitted event change together; if one fails, a retry changes all
def update_course_run(catalog_info: CourseCatalogData, metadata: EventsMetadata, **_: Any) -> None:
    """
    Store a course run that was created or edited in Studio.

    An event may be delivered twice or late, so a change is ignored unless it is newer than the stored change.
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
    Add a course run to the search index. This is a separate receiver. So a retry because of the search engine does not
    update the catalog again.

    The receiver may take minutes. It runs in another thread than the one that polls Kafka, so the worker stays a member
    of its group. Only events of the same course wait.
    """
    course_key = str(catalog_info.course_key)
    while Reindexing.objects.filter(course_key=course_key).exists():
        time.sleep(0.1)
    CourseRun.objects.filter(course_key=course_key).update(indexed_at=timezone.now())
