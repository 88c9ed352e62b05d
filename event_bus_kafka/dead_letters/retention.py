"""
Dead letters may hold personal data; marks of the inbox, and what became of dead letters, grow in number: workers delete
old ones once a day.

Imported only where the app is installed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from time import time

from django.db import connections

from event_bus_kafka.dead_letters import table_store
from event_bus_kafka.dispatching import inbox
from event_bus_kafka.models import DeadLetter, DeadLetterEntry, EntryState, InboxMark
from event_bus_kafka.models.batches import delete_in_batches
from event_bus_kafka.shown import logger_named
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import DeadLetterEntriesPurged, DeadLettersPurged, InboxMarksPurged
from event_bus_kafka.telemetry.guards import kept_alive

logger = logger_named(__name__)

_DAY = 86_400.0
_BATCH = 100


def purge(days: float) -> int:
    """Delete dead letters that failed last so many days ago; return how many."""
    before = datetime.now(UTC) - timedelta(days=days)
    expired = DeadLetter.objects.for_writing().expired(before).order_by("pk")

    def remove(ids: Sequence[int]) -> int:
        seen = expired.filter(pk__in=ids).values_list("pk", "last_failed_at")
        return table_store.remove(dict(seen), EntryState.EXPIRED)

    return delete_in_batches(expired, remove)


def purge_entries(days: float) -> int:
    """Delete what became, so many days ago, of dead letters that are gone; return of how many receivers."""
    letters = DeadLetter.objects.for_writing()
    if not letters.keeps_entries():
        return 0
    entries, before = DeadLetterEntry.objects.using(letters.db), round((time() - days * _DAY) * 1000)
    unchanged = entries.filter(changed_at__lt=before)  # a letter of the same record may come while they are deleted
    return delete_in_batches(entries.expired(before), unchanged.remove)


def complete_entries() -> int:
    """Write the entries of letters that a version without them has stored; return of how many letters."""
    letters = DeadLetter.objects.for_writing()
    if not letters.keeps_entries():
        return 0
    found, last = 0, 0
    while lacking := list(letters.lacking_entries().filter(pk__gt=last)[:_BATCH]):
        for letter in lacking:
            table_store.enter(letter)
        found, last = found + len(lacking), lacking[-1].pk
    return found


def purge_marks(days: float) -> int:
    """Delete marks that this service's receivers set so many days ago, in all their databases; return how many."""
    before = datetime.now(UTC) - timedelta(days=days)
    marks = [InboxMark.objects.using(alias) for alias in filter(inbox.is_migrated, inbox.aliases())]
    return sum(delete_in_batches(one.expired(before), one.remove) for one in marks)


def purge_daily(days: float, *, history: float, dead_letters: bool) -> None:
    """
    Start a thread that purges now and once a day, as long as the process lives; ``dead_letters``: they are in the
    database; ``history``: days for which it is kept what became of them.
    """
    arguments = (days, history, dead_letters)
    threading.Thread(target=_purge_for_ever, args=arguments, name="event-bus-retention", daemon=True).start()


def _purge_for_ever(days: float, history: float, dead_letters: bool) -> None:
    pause = threading.Event()
    while True:
        with kept_alive():
            if dead_letters:
                _try("dead letters", lambda: emit(DeadLettersPurged(count=purge(days))))
                _try("entries of dead letters", lambda: emit(DeadLetterEntriesPurged(count=purge_entries(history))))
                _try("entries of dead letters", complete_entries)
            _try("marks of the inbox", lambda: emit(InboxMarksPurged(count=purge_marks(days))))
        with kept_alive():
            connections.close_all()
        pause.wait(_DAY)


def _try(what: str, purge: Callable[[], object]) -> None:
    try:
        purge()
    except Exception as error:  # noqa: BLE001 drivers and routers may raise anything
        logger.warning("Old %s were not deleted, tomorrow again: %s", what, type(error).__name__)
