"""The source for ``manage.py backfill_events``: course runs that are older than the event bus."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from openedx_events.content_authoring.signals import COURSE_CATALOG_INFO_CHANGED

from event_bus_kafka import RowsByPk, backfill_source
from examples.cms.models import CourseRun

_RUNS = RowsByPk(CourseRun.objects.all())


@backfill_source(COURSE_CATALOG_INFO_CHANGED, count=_RUNS.count)
def course_runs(after: str | None) -> Iterator[tuple[Any, dict[str, Any]]]:
    """
    Yield the event of each course run, with the time of the course run's last change. A receiver that knows a newer
    change ignores the event.
    """
    for run in _RUNS(after):
        yield run.pk, {"time": run.modified, **run.as_event()}
