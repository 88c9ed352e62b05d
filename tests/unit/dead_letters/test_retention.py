"""Old entries of deleted letters are purged. An entry says what happened to a dead letter at a receiver."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from time import sleep
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError, connection
from django.db.models import F

from event_bus_kafka.dead_letters.retention import complete_entries, purge, purge_entries
from event_bus_kafka.dead_letters.table_store import store
from event_bus_kafka.models import DeadLetter, DeadLetterEntry, InboxMark
from event_bus_kafka.models.batches import delete_in_batches
from tests.support.letters import discard, states
from tests.unit.dead_letters.test_letter import letter, record

pytestmark = pytest.mark.django_db(transaction=True)

_WEEK = 7 * 86_400_000
"""The number of milliseconds in a week."""


def test_entries_of_deleted_letters_are_purged_after_the_retention() -> None:
    alive, gone = store(letter(record(offset=1))), store(letter(record(offset=2)))
    discard(gone)
    DeadLetterEntry.objects.update(changed_at=F("changed_at") - _WEEK - 60_000)
    assert purge_entries(8) == 0
    assert purge_entries(7) == 1
    assert list(DeadLetterEntry.objects.values_list("letter", flat=True)) == [alive.pk]
    alive.delete()  # as the older version does
    assert purge_entries(0) == 1


def test_an_entry_that_is_rewritten_during_a_purge_is_not_deleted() -> None:
    again: list[DeadLetter] = []

    def write_again(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        if sql.startswith("DELETE") and not again:
            again.append(store(letter(record())))
        return execute(sql, *arguments)

    discard(store(letter(record())))
    DeadLetterEntry.objects.update(changed_at=F("changed_at") - _WEEK - 60_000)
    with connection.execute_wrapper(write_again):
        assert purge_entries(7) == 0
    assert states() == {"": "failed"}


def test_the_entries_of_a_purged_letter_get_the_state_expired() -> None:
    store(letter(record()))
    assert purge(-1) == 1
    assert states() == {"": "expired"}


def test_missing_entries_are_added_for_letters_stored_by_older_versions_of_the_package() -> None:
    rows = [store(letter(record(offset=offset))) for offset in range(3)]
    DeadLetterEntry.objects.all().delete()
    DeadLetter.objects.filter(pk=rows[0].pk).update(failures=[])
    DeadLetter.objects.filter(pk=rows[1].pk).update(failures=[{"receiver": "a", "error": "E", "place": ""}])
    assert complete_entries() == 3
    assert complete_entries() == 0
    assert states() == {"": "failed", "a": "failed"}
    assert DeadLetter.objects.count() == 3


def test_a_purge_ends_when_the_database_deletes_no_rows() -> None:
    """A trigger may prevent deletions without an error. The purge must not repeat these deletions for ever."""
    store(letter(record()))
    assert list(delete_in_batches(DeadLetter.objects.order_by("pk"), lambda ids: 0)) == [0]


def test_a_letter_and_its_entries_stay_unchanged_if_discarding_the_letter_fails() -> None:
    def refuse(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        if sql.startswith("UPDATE"):
            raise OperationalError
        return execute(sql, *arguments)

    row = store(letter(record()))
    with connection.execute_wrapper(refuse), pytest.raises(OperationalError):
        discard(row)
    assert (DeadLetter.objects.count(), states()) == (1, {"": "failed"})


def test_a_purge_deletes_a_smaller_batch_after_a_slow_batch() -> None:
    """
    Large slow batches would delay other work: until a batch ends, no heartbeats are written and no pauses are read.
    """
    sizes: list[int] = []

    def remove(ids: list[Any]) -> int:
        sizes.append(len(ids))
        sleep(0.41)
        return InboxMark.objects.filter(pk__in=ids).delete()[0]

    now = datetime.now(UTC)
    InboxMark.objects.bulk_create(
        InboxMark(id=uuid4(), receiver="app.grade", event_id=uuid4(), marked_at=now) for _ in range(130)
    )
    batches = delete_in_batches(InboxMark.objects.order_by("pk"), remove)
    assert [next(batches) for _ in range(3)] == [100, 25, 5]
    assert list(batches) == []
    assert sizes == [100, 25, 5]
