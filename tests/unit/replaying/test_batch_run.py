"""
If the source of a requested backfill raises an error of an outage, the backfill is held. Other errors stop the request.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Any

import pytest
from django.db import DataError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from openedx_events.learning.signals import CERTIFICATE_CREATED
from pytest_django import DjangoDbBlocker

from event_bus_kafka import create_producer
from event_bus_kafka.errors import BrokerError, ConfigurationError
from event_bus_kafka.models import LetterState
from event_bus_kafka.operations.requested_runs.run_progress import RunProgress
from event_bus_kafka.producing.backfill import Backfill, Items, Source
from event_bus_kafka.replaying.batch_run import BatchRun, ItemBatch
from event_bus_kafka.replaying.halts import Halt, HaltKind
from tests.support.databases import connected, none_known
from tests.support.examples_of import certificate


def run(items: Items) -> LetterState | Halt:
    """
    Run one batch of a backfill that has no topics. Return the result of the batch, or a Halt with the reason why the
    backfill halts.
    """
    batches = BatchRun(
        source=Source(signal=CERTIFICATE_CREATED, items=items, count=lambda _: 1),
        backfill=Backfill(signal=CERTIFICATE_CREATED, routes=[], producer=create_producer()),
        progress=RunProgress(),
        lock=Lock(),
        most=10,
        limit=None,
        stop_after=5,
    )
    return batches.run(ItemBatch(number=0, topic="a source"), lambda _: None)


def raising(error: BaseException) -> Items:
    def items(_: str | None) -> Iterator[Any]:
        raise error
        yield

    return items


def asking(connection: BaseDatabaseWrapper) -> Items:
    def items(_: str | None) -> Iterator[Any]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        yield 1, {"certificate": certificate()}

    return items


@pytest.mark.django_db(transaction=True, databases="__all__")  # databases that this thread has used are checked
@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (DataError(), HaltKind.STOPPED),
        (ConfigurationError("wrong"), HaltKind.STOPPED),
        (SystemExit(), HaltKind.STOPPED),
        (BrokerError("_TRANSPORT", "away", retriable=True), HaltKind.HELD),
    ],
)
def test_a_backfill_is_held_only_if_its_source_raises_because_of_an_outage(
    error: BaseException, kind: HaltKind
) -> None:
    with none_known():
        halt = run(raising(error))
    assert isinstance(halt, Halt)
    assert halt.kind is kind
    assert type(error).__name__ in halt.note


@pytest.mark.django_db(transaction=True)
def test_a_backfill_is_stopped_if_its_source_leaves_a_transaction_open() -> None:
    def items(_: str | None) -> list[Any]:
        transaction.atomic().__enter__()
        return [(1, {"certificate": certificate()})]

    halt = run(items)
    assert isinstance(halt, Halt)
    assert halt.kind is HaltKind.STOPPED
    assert "a source must not yield inside a transaction" in halt.note


@pytest.mark.parametrize("folder", ["no such folder", "."])
def test_a_backfill_succeeds_after_a_database_restart_and_is_held_during_an_outage(
    folder: str, tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    entry = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / folder / "database")}
    with django_db_blocker.unblock(), none_known(), connected(entry, "restarted") as connection:
        if folder == ".":
            connection.ensure_connection()
            connection.connection.close()
            assert run(asking(connection)) == LetterState.SUCCEEDED
        else:
            halt = run(asking(connection))
            assert isinstance(halt, Halt)
            assert halt.kind is HaltKind.HELD
