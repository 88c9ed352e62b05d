"""Stores dead letters in the database. Import this module only if the app is installed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeVar

from django.db import Error, connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from event_bus_kafka.db_connections import close
from event_bus_kafka.dead_letters import left_out, pending
from event_bus_kafka.dead_letters.database_refusals import has_ended, is_larger_than_packets, is_refusal
from event_bus_kafka.dead_letters.letter import Letter
from event_bus_kafka.dead_letters.pending import Change, Pending
from event_bus_kafka.errors import DeadLetterStoreFailed
from event_bus_kafka.models import DeadLetter, DeadLetterEntry, EntryState
from event_bus_kafka.models.presence import has_tables
from event_bus_kafka.telemetry.error_text import database_error_text

Result = TypeVar("Result")


class TableStore:
    """Stores each dead letter in this service's table, in a separate transaction."""

    def store(self, letter: Letter) -> None:
        try:
            store(letter)
        except Error as error:
            text = database_error_text(error)
            raise DeadLetterStoreFailed(f"table {DeadLetter._meta.db_table}: {text}") from error


def store(letter: Letter) -> DeadLetter:
    """
    Store a dead letter and return its row. If the table refuses the letter and has the column ``left_out``, leave out
    parts of the letter.

    Raises a database error, or another exception of a driver, in two cases: the database is away, or the table refuses
    the letter and every copy with fewer parts. Raises :class:`DeadLetterStoreFailed` if the letter already lacks parts,
    but the table does not yet have the column ``left_out``, which names the missing parts.
    """
    if letter.left_out and not DeadLetter.objects.for_writing().keeps_entries():
        raise DeadLetterStoreFailed(
            f"{letter.record.coordinates} lacks its {', '.join(letter.left_out)}, and the table has no column yet that "
            "says which parts are missing: run manage.py migrate"
        )
    connection = connections[router.db_for_write(DeadLetter)]
    refusal = _attempt(connection, letter)
    if isinstance(refusal, DeadLetter):
        return refusal
    if DeadLetter.objects.keeps_entries():  # otherwise there is no column for the marks, which a replay needs
        for less in left_out.lighter(letter):
            row = _attempt(connection, less)
            if isinstance(row, DeadLetter):
                left_out.tell(less, f"the table refuses it: {database_error_text(refusal)}")
                return row
    raise refusal


def amend(letter: DeadLetter, decide: Callable[[DeadLetter], Change]) -> Change | None:
    """
    Lock the letter's row, apply the change that ``decide`` returns for the row, and return the change; None if the row
    is gone.

    Connects again if the connection has ended. Raises a database error.
    """
    connection = connections[router.db_for_write(DeadLetter)]
    return _on_live(connection, lambda: _amend(letter, decide))


def claim(letter: DeadLetter, until: datetime, *, own: str = "") -> bool:
    """
    Claim a letter for one replay until ``until``, and count an attempt. :func:`amend` may end the claim earlier. Return
    False if another replay has claimed the letter, or if a replay or a worker has changed the letter since it was read.
    ``own``: the end of an old claim, which the new claim may replace because the replay with the old claim has died or
    was interrupted; empty: there is no such claim.

    Raises a database error.
    """
    rows = DeadLetter.objects.for_writing()
    with transaction.atomic(using=rows.db):
        rows.count_attempt(letter)  # first: SQLite takes its lock at the first write
        row = rows.locked(letter)
        if row is None or _has_changed(row, letter) or pending.is_claimed(pending.of_row(row), own=own):
            transaction.set_rollback(True, using=rows.db)
            return False
        mark = {"claimed_until": pending.time_text(until)}
        claimed = [failure | mark for failure in row.failures or [{"receiver": "", "error": ""}]]
        rows.filter(pk=row.pk).update(failures=claimed)
    letter.attempts = row.attempts
    return True


def remove(seen: Mapping[int, datetime], state: EntryState) -> int:
    """
    Delete the letters ``seen`` (id → time of the last failure, as read) for good, except letters that have failed again
    since they were read. Write ``state`` to the entries of the deleted letters' pending receivers. Return the number of
    deleted letters.
    """
    rows = DeadLetter.objects.for_writing()
    entries = DeadLetterEntry.objects.using(rows.db)
    has_entries = rows.keeps_entries()
    return rows.remove(seen, lambda part: entries.close(part, state) if has_entries else None)


def enter(letter: DeadLetter) -> None:
    """Write the entries of a letter whose row already exists, but whose entries are missing."""
    rows = DeadLetter.objects.for_writing()
    with transaction.atomic(using=rows.db):
        if row := rows.locked(letter):
            _note(row, Change(pending=pending.of_row(row)))


def is_migrated() -> bool:
    """Return whether the table of dead letters exists. Raises a database error if the database does not answer."""
    return has_tables(connections[router.db_for_write(DeadLetter)], DeadLetter)


def _attempt(connection: BaseDatabaseWrapper, letter: Letter) -> DeadLetter | Exception:
    """
    Store the letter once. Return its row, or the error if the table refuses the letter for good. Raises any other
    error.
    """
    try:
        return _on_live(connection, lambda: _write(letter))
    except Exception as error:
        if is_refusal(error) or is_larger_than_packets(error, letter.size, connection):
            return error
        raise


def _on_live(connection: BaseDatabaseWrapper, write: Callable[[], Result]) -> Result:
    """Return the result of ``write``. If the connection had ended, connect again and repeat the call once."""
    connection.ensure_connection()
    raw = connection.connection
    try:
        return write()
    except Exception:
        if not has_ended(connection, raw):
            raise
    close(connection)
    return write()


def _write(letter: Letter) -> DeadLetter:
    rows, now = DeadLetter.objects.for_writing(), pending.of_letter(letter)
    before: Pending = {}

    def merged(row: DeadLetter | None) -> list[dict[str, object]]:
        before.update(pending.of_row(row) if row else {})
        return pending.to_json(pending.merged(before, now))

    with transaction.atomic(using=rows.db):
        row = rows.store(
            letter.record,
            group=letter.group,
            event_id=letter.event_id,
            event_type=letter.event_type,
            merged=merged,
            attempts=letter.attempts,
            failed_at=letter.failed_at,
            left_out=left_out.to_json(letter),
        )
        left = pending.merged(before, now)
        read_now = {name: failure for name, failure in before.items() if name not in left}
        _note(row, Change(pending=left, succeeded=read_now))
    return row


def _amend(letter: DeadLetter, decide: Callable[[DeadLetter], Change]) -> Change | None:
    rows = DeadLetter.objects.for_writing()
    with transaction.atomic(using=rows.db):
        row = rows.locked(letter)
        if row is None:
            return None
        change = decide(row)
        if change.pending:
            written = {
                "failures": pending.to_json(change.pending),
                "last_failed_at": change.failed_at or row.last_failed_at,
            }
            attempts = row.attempts if change.attempts is None else change.attempts
            rows.filter(pk=row.pk).update(attempts=attempts, **written)
        else:
            rows.filter(pk=row.pk).delete()
        _note(row, change)
    return change


def _has_changed(row: DeadLetter, since: DeadLetter) -> bool:
    """
    Return whether ``row`` has changed since ``since`` was read. The time of the last failure is compared, too, because
    the previous version of this package may change only this time.
    """
    return bool(row.failures != since.failures or row.last_failed_at != since.last_failed_at)


def _note(row: DeadLetter, change: Change) -> None:
    """Write the entries of receivers that are still pending, have just succeeded, or were replaced by a stand-in."""
    rows = DeadLetter.objects.for_writing()
    if not rows.keeps_entries():
        return
    entries = DeadLetterEntry.objects.using(rows.db)
    entries.note(row, EntryState.FAILED, pending.to_json(change.pending))
    entries.note(row, EntryState.SUCCEEDED, pending.to_json(change.succeeded))
    for by, whose in change.replaced.items():
        entries.note(row, EntryState.REPLACED, pending.to_json(whose), by)
