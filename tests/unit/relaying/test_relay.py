"""
A relay sends rows in order, and holds or parks rows that cannot be sent. All rows have the same key. The tests use the
sandbox and SQLite.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import sleep
from typing import Any

import pytest
from django.db import OperationalError
from openedx_events.data import EventsMetadata
from openedx_events.learning.signals import CERTIFICATE_CREATED

from event_bus_kafka.errors import ClaimLost, SchemaRegistryError, WorkerFailed
from event_bus_kafka.models import OutboxRecord, ParkedRecord, WriterSchema
from event_bus_kafka.outbox.availability import Outbox
from event_bus_kafka.relaying import claims
from event_bus_kafka.relaying.background import BackgroundThread
from event_bus_kafka.relaying.batch import Batch
from event_bus_kafka.relaying.claims import Claims, Row
from event_bus_kafka.relaying.drain import Drain
from event_bus_kafka.relaying.topics import Topics
from event_bus_kafka.telemetry.events import ClientErrorReported, ConnectionChanged, RelayInterrupted, RowParked
from event_bus_kafka.wire import serde
from tests.services.bus import CREATED
from tests.support.outbox_service import KEY_FIELD, until
from tests.support.relaying import Relaying
from tests.support.watching import watched


@pytest.mark.parametrize("refusal", ["MSG_SIZE_TOO_LARGE", "TOPIC_AUTHORIZATION_FAILED"])
def test_rows_keep_their_order_when_a_broker_refuses_a_request_with_rows_of_two_chunks(
    relaying: Relaying, refusal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "CHUNK_ROWS", 5)  # two chunks form one request, as the client lingers
    sent = relaying.append(*["a"] * 20)
    relaying.sandbox.fail_next("Produce", refusal)
    until(lambda: not OutboxRecord.objects.exists(), step=relaying.relay.step)
    assert relaying.arrived("a", 20) == sent


def test_records_in_flight_are_discarded_when_a_step_of_the_relay_raises(relaying: Relaying) -> None:
    relaying.append("a", "b")
    relaying.error = lambda subject: RuntimeError() if subject.startswith("b-") else None
    with relaying.sandbox.broker_down(), pytest.raises(RuntimeError):
        relaying.relay.step()
    (client,) = relaying.made
    assert client.flush(60) == 0
    assert relaying.arrived("a", 1, seconds=1) == []


def test_s9_at_most_the_request_in_flight_arrives_if_the_claim_is_lost_during_a_database_stall(
    relaying: Relaying, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each request has five rows. A request is sent only after the answer to the previous request."""
    read = Claims.rows

    def read_slowly(self: Claims, ids: Sequence[int]) -> list[Row]:
        rows = read(self, ids)
        if len(rows) == 15 and rows[0].id > 15:
            monkeypatch.setattr(Claims, "holds", False)
            sleep(4)
        return rows

    relaying.options["batch.num.messages"] = 5
    relaying.renew()
    relaying.append("a")
    relaying.relay.step()
    relaying.append(*["a"] * 30)
    monkeypatch.setattr(claims, "CHUNK_ROWS", 15)
    monkeypatch.setattr(Claims, "rows", read_slowly)
    with watched(RelayInterrupted) as seen, relaying.sandbox.slow_brokers(1):
        relaying.relay.step()
    assert [(type(one.error), one.unconfirmed) for one in seen] == [(ClaimLost, 15)]
    assert len(relaying.arrived("a", 16, seconds=1)) <= 1 + 5


def test_a_relay_continues_with_a_new_client_after_an_interruption(relaying: Relaying) -> None:
    sent = relaying.append("a")
    errors = iter([OperationalError()])
    relaying.error = lambda _: next(errors, None)
    until(lambda: not OutboxRecord.objects.exists(), step=relaying.relay.step)
    assert relaying.arrived("a", 1) == sent
    assert len(relaying.made) == 2


def test_a_row_without_a_schema_is_parked_and_reported_with_type_and_id_from_its_headers(relaying: Relaying) -> None:
    (sent,) = relaying.append("a")
    WriterSchema.objects.all().delete()
    with watched(RowParked) as seen:
        relaying.relay.step()
    assert not OutboxRecord.objects.exists()
    assert [row.code for row in ParkedRecord.objects.all()] == ["_NO_SCHEMA"]
    assert [(one.event_type, one.event_id) for one in seen] == [(CREATED, sent.decode())]


def test_a_tombstone_is_sent_with_a_null_value(relaying: Relaying) -> None:
    metadata = EventsMetadata(event_type=CREATED)
    tombstone = serde.encode_tombstone(CERTIFICATE_CREATED, 7, metadata, topic="a", key_field=KEY_FIELD)
    Outbox(notify=lambda: False).append_separately([tombstone], "default")
    relaying.relay.step()
    (record,) = relaying.sandbox.records("a", 1)
    assert record.value is None


@pytest.mark.parametrize(("waits", "exit_code"), [(True, 3), (False, 0)])
def test_a_relay_with_the_once_option_exits_with_0_only_if_no_rows_are_left(
    relaying: Relaying, waits: bool, exit_code: int
) -> None:
    relaying.append("a")
    away = SchemaRegistryError("away", retriable=True)
    relaying.error = lambda _: away if waits else None
    drain = Drain("default", relaying.relay, relaying.progress)
    with pytest.raises(WorkerFailed) as ended:
        until(lambda: False, step=drain.step)
    assert ended.value.exit_code == exit_code


def test_the_background_thread_runs_no_call_after_a_failed_call() -> None:
    nothing: Any = None
    made: list[int] = []
    thread, batch = BackgroundThread("tests"), Batch(nothing, nothing, Topics())

    def fail() -> None:
        raise OperationalError

    with pytest.raises(OperationalError), thread.serving(batch) as calls:
        calls.begin(fail)
        calls.begin(made.append, 1)
    thread.stop()
    assert made == []
    assert isinstance(batch.trouble, OperationalError)


def test_a_relay_reports_that_it_is_connected_after_its_client_survived_an_outage(relaying: Relaying) -> None:
    with watched(ConnectionChanged) as changes:
        with watched(ClientErrorReported) as errors, relaying.sandbox.broker_down():
            until(lambda: "_ALL_BROKERS_DOWN" in [error.code for error in errors], step=relaying.relay.step)
        relaying.append("a")
        until(lambda: not OutboxRecord.objects.exists(), step=relaying.relay.step)
    assert [change.state for change in changes] == ["connected"]
