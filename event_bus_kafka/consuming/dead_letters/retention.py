"""Dead letters may hold personal data: workers delete old ones once a day."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime, timedelta

from django.db import Error, connections

from event_bus_kafka.models import DeadLetter
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import DeadLettersPurged

logger = logging.getLogger(__name__)

_DAY = 86_400.0
_BATCH = 1_000
"""Rows deleted at a time: no long locks, no long transaction."""


def purge(days: float) -> int:
    """Delete dead letters that failed last so many days ago; return how many."""
    before = datetime.now(UTC) - timedelta(days=days)
    count = 0
    while ids := list(DeadLetter.objects.expired(before).order_by("pk").values_list("pk", flat=True)[:_BATCH]):
        count += DeadLetter.objects.filter(pk__in=ids).delete()[0]
    return count


def purge_daily(days: float) -> None:
    """Start a thread that purges now and once a day, as long as the process lives."""
    threading.Thread(target=_purge_for_ever, args=(days,), name="event-bus-retention", daemon=True).start()


def _purge_for_ever(days: float) -> None:
    pause = threading.Event()
    while True:
        try:
            emit(DeadLettersPurged(count=purge(days)))
        except Error as error:
            logger.warning("Old dead letters were not deleted, tomorrow again: %s", type(error).__name__)
        finally:
            connections.close_all()
        pause.wait(_DAY)
