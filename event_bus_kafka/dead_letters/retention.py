"""
Dead letters may hold personal data, and marks of the inbox grow in number: workers delete old ones once a day.

Imported only where the app is installed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from django.db import connections

from event_bus_kafka.dispatching import inbox
from event_bus_kafka.models import DeadLetter, InboxMark
from event_bus_kafka.models.batches import delete_in_batches
from event_bus_kafka.shown import logger_named
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import DeadLettersPurged, InboxMarksPurged
from event_bus_kafka.telemetry.guards import kept_alive

logger = logger_named(__name__)

_DAY = 86_400.0


def purge(days: float) -> int:
    """Delete dead letters that failed last so many days ago; return how many."""
    before = datetime.now(UTC) - timedelta(days=days)
    return delete_in_batches(
        DeadLetter.objects.expired(before).order_by("pk"), lambda ids: DeadLetter.objects.filter(pk__in=ids).delete()[0]
    )


def purge_marks(days: float) -> int:
    """Delete marks that this service's receivers set so many days ago, in all their databases; return how many."""
    before = datetime.now(UTC) - timedelta(days=days)
    marks = [InboxMark.objects.using(alias) for alias in filter(inbox.is_migrated, inbox.aliases())]
    return sum(delete_in_batches(one.expired(before), one.remove) for one in marks)


def purge_daily(days: float, *, dead_letters: bool) -> None:
    """
    Start a thread that purges now and once a day, as long as the process lives; ``dead_letters``: they are in the
    database.
    """
    threading.Thread(target=_purge_for_ever, args=(days, dead_letters), name="event-bus-retention", daemon=True).start()


def _purge_for_ever(days: float, dead_letters: bool) -> None:
    pause = threading.Event()
    while True:
        with kept_alive():
            if dead_letters:
                _try("dead letters", lambda: emit(DeadLettersPurged(count=purge(days))))
            _try("marks of the inbox", lambda: emit(InboxMarksPurged(count=purge_marks(days))))
        with kept_alive():
            connections.close_all()
        pause.wait(_DAY)


def _try(what: str, purge: Callable[[], None]) -> None:
    try:
        purge()
    except Exception as error:  # noqa: BLE001 drivers and routers may raise anything
        logger.warning("Old %s were not deleted, tomorrow again: %s", what, type(error).__name__)
