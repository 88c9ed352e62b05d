"""
Deletes old dead letters, entries, replay requests and inbox marks once a day, in workers. Also writes missing entries.
Dead letters are deleted because they may contain personal data, the other rows because they would fill the database.
Imported only if the app is installed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from django.db import connections, router

from event_bus_kafka.db_connections import commit_at_once
from event_bus_kafka.dead_letters import table_store
from event_bus_kafka.dispatching import inbox
from event_bus_kafka.models import (
    DeadLetter,
    DeadLetterEntry,
    EntryState,
    InboxMark,
    ReplayRequest,
    RequestedLetter,
    RequestedRun,
)
from event_bus_kafka.models.batches import delete_in_batches
from event_bus_kafka.models.database_time import days_ago
from event_bus_kafka.models.presence import were_found
from event_bus_kafka.shown import logger_named
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import (
    DeadLetterEntriesPurged,
    DeadLettersPurged,
    InboxMarksPurged,
    LifecycleEvent,
)

logger = logger_named(__name__)

DAILY = 86_400.0
"""Seconds between two deletions of old rows."""
_BATCH = 100


def purge(days: float) -> int:
    """Delete dead letters whose last failure is more than ``days`` ago; return the number of letters."""
    return sum(_purge_letters(days))


def purge_entries(days: float) -> int:
    """
    Delete entries whose dead letter is deleted and which have not changed for ``days``; return the number of entries.
    """
    return sum(_purge_entries(days))


def complete_entries() -> int:
    """Write the entries of letters that an older version stored without entries; return the number of letters."""
    return sum(_complete_entries())


def purge_marks(days: float) -> int:
    """
    Delete inbox marks that are older than ``days``, in each database that a receiver under ``once`` uses; return the
    number of marks.
    """
    return sum(_purge_marks(days))


def purge_requests(days: float) -> int:
    """
    Delete replay requests that ended more than ``days`` ago. Also delete a waiting or paused request if it is older
    than ``days`` and no worker has had it within this time. The letters and runs of deleted requests are deleted, too.
    Return the number of deleted rows.
    """
    return sum(_purge_requests(days))


def purge_all(days: float, *, history: float, dead_letters: bool) -> Iterator[object]:
    """
    Delete old rows and write missing entries, in slices; yield after each slice. If one of these tasks fails, log a
    warning and go on with the next task; the rest of the failed task is done the next day.

    ``dead_letters``: whether dead letters are stored in the database; ``history``: days for which the entries of
    deleted letters are kept.
    """
    if dead_letters:
        yield from _told("Old dead letters were not all deleted", _of_letters(_purge_letters(days)), DeadLettersPurged)
        yield from _told(
            "Old entries of dead letters were not all deleted",
            _of_letters(_purge_entries(history)),
            DeadLetterEntriesPurged,
        )
        yield from _told("Missing entries of dead letters were not all written", _of_letters(_complete_entries()))
        yield from _told("Old replay requests were not all deleted", _of_letters(_purge_requests(days)))
    yield from _told(
        "Old marks of the inbox were not all deleted", _committed(inbox.aliases, _purge_marks(days)), InboxMarksPurged
    )


def _of_letters(slices: Iterator[int]) -> Iterator[int]:
    return _committed(lambda: [DeadLetter.objects.for_writing().db], slices)


def _committed(aliases: Callable[[], Iterable[str]], slices: Iterator[int]) -> Iterator[int]:
    """Set the databases' connections to autocommit, so that each slice is committed. Then yield from ``slices``."""
    for alias in aliases():
        commit_at_once(connections[alias])
    yield from slices


def _purge_letters(days: float) -> Iterator[int]:
    letters = DeadLetter.objects.for_writing()
    expired = letters.expired(days_ago(letters.db, days)).order_by("pk")

    def remove(ids: Sequence[int]) -> int:
        seen = expired.filter(pk__in=ids).values_list("pk", "last_failed_at")
        return table_store.remove(dict(seen), EntryState.EXPIRED)

    yield from delete_in_batches(expired, remove)


def _purge_entries(days: float) -> Iterator[int]:
    letters = DeadLetter.objects.for_writing()
    if not letters.keeps_entries():
        return
    entries, before = DeadLetterEntry.objects.using(letters.db), round(days_ago(letters.db, days).timestamp() * 1000)
    unchanged = entries.filter(changed_at__lt=before)  # a letter of the same record may come while they are deleted
    yield from delete_in_batches(entries.expired(before), unchanged.remove)


def _complete_entries() -> Iterator[int]:
    letters = DeadLetter.objects.for_writing()
    if not letters.keeps_entries():
        return
    last = 0
    while lacking := list(letters.lacking_entries().filter(pk__gt=last)[:_BATCH]):
        for letter in lacking:
            table_store.enter(letter)
        last = lacking[-1].pk
        yield len(lacking)


def _purge_requests(days: float) -> Iterator[int]:
    connection = connections[router.db_for_write(ReplayRequest)]
    if not were_found(connection, ReplayRequest, RequestedLetter):
        return
    letters = RequestedLetter.objects.using(connection.alias)
    expired = ReplayRequest.objects.using(connection.alias).expired(
        round(days_ago(connection.alias, days).timestamp() * 1000)
    )
    yield from delete_in_batches(letters.expired(expired), letters.remove)
    if were_found(connection, RequestedRun):
        runs = RequestedRun.objects.using(connection.alias)
        yield from delete_in_batches(runs.expired(expired), runs.remove)
    yield from delete_in_batches(expired, lambda ids: expired.filter(pk__in=ids, letters=None).delete()[0])


def _purge_marks(days: float) -> Iterator[int]:
    for alias in filter(inbox.is_migrated, inbox.aliases()):
        marks = InboxMark.objects.using(alias)
        yield from delete_in_batches(marks.expired(days_ago(alias, days)), marks.remove)


def _told(failed: str, slices: Iterator[int], purged: Callable[..., LifecycleEvent] | None = None) -> Iterator[object]:
    count = 0
    try:
        for deleted in slices:
            count += deleted
            yield None
        if purged is not None:
            emit(purged(count=count))
    except Exception as error:  # noqa: BLE001 drivers and routers may raise anything
        logger.warning("%s: %s was raised. The next attempt follows in a day.", failed, type(error).__name__)
        yield None  # its connection is closed before the next kind
