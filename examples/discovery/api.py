"""The actions of publishers in Discovery."""

from __future__ import annotations

from django.db import transaction

from event_bus_kafka import send_tombstone
from examples.discovery.models import CourseRun, Program, Reindexing
from examples.platform_events.signals import PROGRAM_UPDATED


@transaction.atomic
def publish_course_run(course_key: str, status: str = "published") -> None:
    """Set a course run's status. The row is locked, because Studio may change the same row at the same time."""
    run = CourseRun.objects.select_for_update().get(course_key=course_key)
    run.status = status
    run.publish()


def save_program(uuid: str, title: str, course_run_keys: list[str]) -> None:
    program = Program.objects.filter(uuid=uuid).first() or Program(uuid=uuid)
    program.title, program.course_run_keys = title, course_run_keys
    program.publish()


@transaction.atomic
def delete_program(uuid: str) -> None:
    """
    Delete a program and send a tombstone, or do neither. Through the outbox, the tombstone is sent after earlier events
    of the program.
    """
    Program.objects.get(uuid=uuid).delete()
    send_tombstone(PROGRAM_UPDATED, "catalog-program-lifecycle", uuid)


def begin_reindexing(course_key: str) -> None:
    Reindexing.objects.get_or_create(course_key=course_key)


def end_reindexing(course_key: str) -> None:
    Reindexing.objects.filter(course_key=course_key).delete()
