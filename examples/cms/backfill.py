"""What ``manage.py backfill_events`` can announce: all that there was before the event bus."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from openedx_events.content_authoring.signals import COURSE_CATALOG_INFO_CHANGED

from event_bus_kafka import RowsByPk, backfill_source
from examples.cms.models import CourseRun

_RUNS = RowsByPk(CourseRun.objects.all())


@backfill_source(COURSE_CATALOG_INFO_CHANGED, count=_RUNS.count)
def course_runs(after: str | None) -> Iterator[tuple[Any, dict[str, Any]]]:
    """The time of the change goes along: who has heard of a newer one leaves this one out."""
    for run in _RUNS(after):
        yield run.pk, {"time": run.modified, **run.as_event()}
