"""The row of an event and the schemas to which it refers are committed together or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import TestCase
from pytest_django import DjangoDbBlocker

from event_bus_kafka.errors import AppendFailed, OutboxMissing
from event_bus_kafka.models import OutboxRecord, WriterSchema
from event_bus_kafka.outbox import backlog
from event_bus_kafka.outbox.availability import Outbox
from event_bus_kafka.telemetry.events import AppendToOutboxFailed
from tests.support.direct import encoded
from tests.support.sqlite import on_sqlite
from tests.support.watching import watched

OUTBOX = Outbox(notify=lambda: False)


@pytest.fixture(autouse=True)
def default(tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with django_db_blocker.unblock(), on_sqlite(tmp_path, "default"):
        yield


def append() -> bool:
    return OUTBOX.append_if_available([encoded("t")], None, otherwise=lambda *_: pytest.fail("it left another way"))


def test_a_schema_is_written_again_after_an_inner_atomic_block_was_rolled_back() -> None:
    with transaction.atomic():
        with suppress(KeyError), transaction.atomic():
            assert append()
            raise KeyError
        assert append()
    (row,) = OutboxRecord.objects.all()
    assert [schema.pk for schema in WriterSchema.objects.all()] == [row.schema_id]


def assert_each_row_has_its_schema(rows: int) -> None:
    found = list(OutboxRecord.objects.values_list("schema_id", flat=True))
    assert len(found) == rows
    assert set(found) == set(WriterSchema.objects.values_list("pk", flat=True))


def test_a_schema_is_written_again_after_a_manual_savepoint_was_rolled_back() -> None:
    """Django does not discard the on-commit hooks of a manual savepoint when the savepoint is rolled back."""
    with transaction.atomic():
        savepoint = connection.savepoint() or ""
        assert append()
        connection.savepoint_rollback(savepoint)
        assert append()
    assert append()
    assert_each_row_has_its_schema(2)


def test_a_schema_is_written_again_after_a_rollback_even_if_a_test_ran_the_on_commit_hooks() -> None:
    with suppress(KeyError), transaction.atomic():
        with TestCase.captureOnCommitCallbacks(execute=True) as captured:
            assert append()
        raise KeyError
    assert captured
    assert append()
    assert_each_row_has_its_schema(1)


def test_an_event_is_committed_if_its_transaction_was_marked_for_rollback_and_the_mark_was_removed() -> None:
    with transaction.atomic():
        with suppress(KeyError), transaction.atomic(savepoint=False):
            raise KeyError
        assert append()
        transaction.set_rollback(False)
    assert_each_row_has_its_schema(1)


@pytest.mark.parametrize("inside", [True, False], ids=["in a transaction", "in autocommit"])
def test_the_event_and_on_commit_hooks_survive_a_failed_query_of_the_backlog(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, inside: bool
) -> None:
    def guard(execute: Any, sql: str, *arguments: Any) -> Any:
        if sql.startswith("SELECT") and "ORDER BY" in sql and OutboxRecord._meta.db_table in sql:
            raise RuntimeError("no query may run here")
        return execute(sql, *arguments)

    monkeypatch.setattr(backlog, "_next_look", {})
    hooks: list[str] = []
    with connection.execute_wrapper(guard), transaction.atomic() if inside else nullcontext():
        assert append()
        transaction.on_commit(lambda: hooks.append("theirs"))
    assert hooks == ["theirs"]
    assert "How long events wait in the outbox of database default is not known" in caplog.text
    assert_each_row_has_its_schema(1)


def test_a_dropped_table_is_reported_as_append_failed_at_first_and_then_as_outbox_missing() -> None:
    assert append()
    with connection.schema_editor() as editor:
        editor.delete_model(OutboxRecord)
    with watched(AppendToOutboxFailed) as failed:
        for _ in range(2):
            assert not OUTBOX.append_if_available([encoded("t")], None, otherwise=lambda *_: None)
    assert [type(one.error) for one in failed] == [AppendFailed, OutboxMissing]


def test_no_row_is_appended_in_a_transaction_that_is_marked_for_rollback() -> None:
    with watched(AppendToOutboxFailed) as failed, transaction.atomic():
        transaction.set_rollback(True)
        assert append()
    assert not connection.in_atomic_block
    assert not OutboxRecord.objects.exists()
    assert failed == []
