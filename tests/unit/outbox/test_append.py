"""Rows and the schemas that they refer to commit together, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from django.db import connection, transaction
from pytest_django import DjangoDbBlocker

from event_bus_kafka.models import OutboxRecord, WriterSchema
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


def test_a_schema_that_was_written_in_a_savepoint_that_failed_is_written_again() -> None:
    with transaction.atomic():
        with suppress(KeyError), transaction.atomic():
            assert append()
            raise KeyError
        assert append()
    (row,) = OutboxRecord.objects.all()
    assert [schema.pk for schema in WriterSchema.objects.all()] == [row.schema_id]


def test_in_a_transaction_that_must_roll_back_nothing_is_appended_and_nothing_fails() -> None:
    with watched(AppendToOutboxFailed) as failed, transaction.atomic():
        transaction.set_rollback(True)
        assert append()
    assert not connection.in_atomic_block
    assert not OutboxRecord.objects.exists()
    assert failed == []
