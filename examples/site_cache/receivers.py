"""How the cache is kept current."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from examples.platform_events.data import CourseRunData, ProgramData
from examples.platform_events.signals import COURSE_RUN_UPDATED, PROGRAM_UPDATED
from examples.site_cache.models import Page


@receiver(COURSE_RUN_UPDATED)
def write_course_page(course_run: CourseRunData, **_: Any) -> None:
    Page.objects.update_or_create(key=str(course_run.course_key), defaults={"title": course_run.title})


@receiver(PROGRAM_UPDATED)
def write_program_page(program: ProgramData, **_: Any) -> None:
    Page.objects.update_or_create(key=str(program.uuid), defaults={"title": program.title})
