"""What Discovery does with events of the CMS."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.dispatch import receiver
from openedx_events.content_authoring.data import CourseCatalogData
from openedx_events.content_authoring.signals import COURSE_CATALOG_INFO_CHANGED
from openedx_events.data import EventsMetadata

from examples.discovery.models import CourseRun, CourseRunChange


@receiver(COURSE_CATALOG_INFO_CHANGED)
@transaction.atomic  # the catalog and its history change together; if one fails, the event comes again for both
def update_course_run(catalog_info: CourseCatalogData, metadata: EventsMetadata, **_: Any) -> None:
    """
    A course run was created or edited in Studio.

    An event may come twice, and an old one after a newer: both are told by the time of the change, and leave no trace.
    """
    course_key = str(catalog_info.course_key)
    known = CourseRun.objects.select_for_update().filter(course_key=course_key).first()
    if known and known.changed_at >= metadata.time:
        return
    values = {
        "name": catalog_info.name,
        "start": catalog_info.schedule_data.start,
        "end": catalog_info.schedule_data.end,
        "pacing": catalog_info.schedule_data.pacing,
        "hidden": catalog_info.hidden,
        "invitation_only": catalog_info.invitation_only,
        "changed_at": metadata.time,
    }
    CourseRun.objects.update_or_create(course_key=course_key, defaults=values)
    CourseRunChange.objects.create(course_key=course_key, **values)
