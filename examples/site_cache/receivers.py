"""The receivers of the cache."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.dispatch import receiver
from openedx_events.data import EventsMetadata

from event_bus_kafka import record_deleted
from examples.platform_events.data import CourseRunData, ProgramData
from examples.platform_events.signals import COURSE_RUN_UPDATED, PROGRAM_UPDATED
from examples.site_cache.models import Page


@receiver(COURSE_RUN_UPDATED)
def write_course_page(course_run: CourseRunData, metadata: EventsMetadata, **_: Any) -> None:
    _write(str(course_run.course_key), course_run.title, metadata)


@receiver(PROGRAM_UPDATED)
def write_program_page(program: ProgramData, metadata: EventsMetadata, **_: Any) -> None:
    _write(str(program.uuid), program.title, metadata)


@transaction.atomic
def _write(key: str, title: str, metadata: EventsMetadata) -> None:
    """
    Write a page. While the cache is rebuilt, old and new events arrive together; a change is ignored unless it is newer
    than the page.
    """
    if not Page.objects.filter(key=key, changed_at__gte=metadata.time).exists():
        Page.objects.update_or_create(key=key, defaults={"title": title, "changed_at": metadata.time})


@receiver(record_deleted)
def delete_page(key: Any, **_: Any) -> None:
    """Delete the page of a deleted course run or program."""
    Page.objects.filter(key=key).delete()
