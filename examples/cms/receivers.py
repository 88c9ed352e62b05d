"""The receivers of the CMS, for events of Discovery."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.dispatch import receiver
from openedx_events.data import EventsMetadata

from examples.cms.models import CatalogEntry
from examples.platform_events.data import CourseRunData
from examples.platform_events.signals import COURSE_RUN_UPDATED


@receiver(COURSE_RUN_UPDATED)
@transaction.atomic
def update_catalog_entry(course_run: CourseRunData, metadata: EventsMetadata, **_: Any) -> None:
    """
    Store a change of the catalog. An event may be delivered twice or late, so a change is ignored unless it is newer
    than the stored change.
    """
    course_key = str(course_run.course_key)
    if CatalogEntry.objects.filter(course_key=course_key, changed_at__gte=metadata.time).exists():
        return
    CatalogEntry.objects.update_or_create(
        course_key=course_key,
        defaults={"title": course_run.title, "status": course_run.status, "changed_at": metadata.time},
    )
