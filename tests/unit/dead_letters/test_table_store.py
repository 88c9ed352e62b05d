"""
Dead letters are stored in the table. A repeated failure updates the row of its letter. Parts that the table refuses are
left out; such a letter is called reduced.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import attrs
import pytest
from django.db import OperationalError, connection

from event_bus_kafka.dead_letters.left_out import lighter
from event_bus_kafka.dead_letters.letter import Failure
from event_bus_kafka.dead_letters.retention import purge
from event_bus_kafka.dead_letters.table_store import TableStore, store
from event_bus_kafka.errors import DeadLetterStoreFailed
from event_bus_kafka.models import DeadLetter, DeadLetterEntry, presence
from event_bus_kafka.telemetry import events
from tests.support.watching import watched
from tests.unit.dead_letters.test_letter import letter, record

pytestmark = pytest.mark.django_db(transaction=True)


def test_storing_a_letter_again_updates_its_row_and_restarts_the_retention() -> None:
    store, now = TableStore(), datetime.now(UTC)
    first = attrs.evolve(letter(record()), failed_at=now - timedelta(days=100))
    store.store(first)
    store.store(attrs.evolve(first, failed_at=now, attempts=7))
    (row,) = DeadLetter.objects.all()
    assert (row.attempts, row.first_failed_at, row.last_failed_at) == (7, first.failed_at, now)
    assert purge(90) == 0
    assert purge(-1) == 1


def stored(of: Any) -> DeadLetter:
    TableStore().store(of)
    return DeadLetter.objects.with_marks().get()


@contextmanager
def limited(size: int) -> Iterator[None]:
    """While the block runs, SQLite refuses values and rows of more than `size` bytes."""
    raw: sqlite3.Connection = connection.connection
    before = raw.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, size)
    try:
        yield
    finally:
        raw.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, before)


def test_c8_a_value_that_is_too_large_for_the_table_is_left_out_and_reported() -> None:
    large = letter(record(value=b"x" * 20_000))
    connection.ensure_connection()
    with limited(10_000), watched(events.DeadLetterReduced) as told:
        row = stored(large)
    assert row.record == letter(record(value=b"")).record
    assert row.marks == {"value": {"size": 20_000, "sha256": sha256(b"x" * 20_000).hexdigest()}}
    assert [one.left_out for one in told] == [(("value", 20_000),)]


def test_c8_only_the_headers_are_left_out_if_they_are_too_large_for_the_table() -> None:
    headers = (*record().headers, ("large", b"x" * 20_000))
    connection.ensure_connection()
    with limited(10_000):
        row = stored(letter(record(headers=headers)))
    assert (row.record.value, row.record.headers, list(row.marks)) == (record().value, (), ["headers"])
    assert (row.event_type, row.event_id) == (letter(record()).event_type, letter(record()).event_id)


def test_c8_only_the_texts_are_left_out_if_they_cannot_be_encoded() -> None:
    failures = (Failure(receiver="lms.award", error="half a character: \ud800"),)
    row = stored(attrs.evolve(letter(record()), failures=failures))
    assert (row.record, list(row.marks)) == (record(), ["texts"])
    assert row.failed_receivers == ["lms.award"]


def test_c8_a_reduced_letter_becomes_complete_if_it_is_stored_again_and_the_table_accepts_it() -> None:
    large = letter(record(value=b"x" * 20_000))
    connection.ensure_connection()
    with limited(10_000):
        stored(large)
    row = stored(large)
    assert (row.record, row.marks) == (large.record, {})


def test_c8_a_letter_is_not_reduced_after_a_lock_timeout() -> None:
    refused: list[str] = []

    def refuse_once(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        if sql.startswith("INSERT") and not refused:
            refused.append(sql)
            raise OperationalError(1205, "Lock wait timeout exceeded; try restarting transaction")
        return execute(sql, *arguments)

    with watched(events.DeadLetterReduced) as told, connection.execute_wrapper(refuse_once):
        with pytest.raises(DeadLetterStoreFailed, match="OperationalError 1205 Lock wait timeout"):
            TableStore().store(letter(record()))
    assert list(told) == []


def test_c8_no_reduced_letter_is_stored_if_an_execute_wrapper_raises_a_value_error() -> None:
    """
    If a database driver raises ValueError, a value is wrong. If a router, query guard or hook raises ValueError, the
    cause is unknown.
    """
    refused: list[str] = []

    def refuse(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        if sql.startswith("INSERT") and not refused:
            refused.append(sql)
            raise ValueError("no queries here")
        return execute(sql, *arguments)

    with watched(events.DeadLetterReduced) as told, connection.execute_wrapper(refuse):
        with pytest.raises(ValueError, match="no queries here"):
            TableStore().store(letter(record()))
    assert list(told) == []
    assert not DeadLetter.objects.exists()


def test_each_failed_receiver_has_one_entry_with_its_error_and_the_coordinates_of_the_record() -> None:
    failures = (Failure(receiver="a", error="E", place="p", attempts=3), Failure(receiver="b", error="F"))
    sent = attrs.evolve(letter(record()), failures=failures)
    row = stored(sent)
    found = {entry.receiver: (entry.state, entry.error, entry.place, entry.attempts) for entry in row.entries.all()}
    assert found == {"a": ("failed", "E", "p", 3), "b": ("failed", "F", "", 5)}
    stored(sent)
    assert DeadLetterEntry.objects.count() == 2
    entry = DeadLetterEntry.objects.filter(event_id=sent.event_id).first()
    assert entry is not None
    assert (entry.topic, entry.partition, entry.offset) == ("t", 3, 2**40)


def test_long_texts_are_truncated_in_the_entry_but_not_in_the_letter() -> None:
    """
    MySQL would refuse such long texts. The result of a replay could then not be stored, and receivers that had
    succeeded would run again.
    """
    text = "x" * 70_000
    row = stored(attrs.evolve(letter(record()), failures=(Failure(receiver="a", error=text, place=text),)))
    entry = row.entries.get()
    assert (entry.error, entry.place) == (text[:10_000], text[:10_000])
    assert row.failures[0]["error"] == text


def test_c8_storing_a_reduced_letter_fails_if_the_table_of_entries_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    An imported letter may lack a part. If it were stored without the column ``left_out``, a replay would use an empty
    part in place of the original part.
    """
    monkeypatch.setattr(presence, "_found", set())
    reduced = next(lighter(letter(record())))
    with connection.schema_editor() as editor:
        editor.delete_model(DeadLetterEntry)
    try:
        with pytest.raises(DeadLetterStoreFailed, match=r"lacks its value, .* run manage.py migrate"):
            store(reduced)
        store(letter(record()))
    finally:
        with connection.schema_editor() as editor:
            editor.create_model(DeadLetterEntry)
    assert DeadLetter.objects.get().record == record()


def test_receivers_whose_names_differ_only_in_case_have_separate_entries() -> None:
    failures = (Failure(receiver="lms.Award", error=""), Failure(receiver="lms.award", error=""))
    assert stored(attrs.evolve(letter(record()), failures=failures)).entries.count() == 2
