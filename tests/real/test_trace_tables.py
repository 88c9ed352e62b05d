"""
On each database, ``event_trace`` searches the tables of a service: the outbox, parked rows, dead letters, and the
inbox.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID, uuid1, uuid4

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from openedx_events.data import EventsMetadata
from openedx_events.learning.signals import CERTIFICATE_CREATED
from pytest_django import DjangoDbBlocker

from event_bus_kafka import create_producer, once
from event_bus_kafka.dead_letters import pending
from event_bus_kafka.dead_letters.pending import Change
from event_bus_kafka.dead_letters.table_store import amend
from event_bus_kafka.models import DeadLetter, OutboxRecord, ParkedRecord
from event_bus_kafka.sandbox import Sandbox
from event_bus_kafka.wire.headers import pack
from tests.services.bus import CREATED
from tests.support.databases import connected, database_on
from tests.support.examples_of import certificate
from tests.support.letters import TOPIC, discard, record_of, stored
from tests.support.trace_command import found, trace

_numbers = count(1)
SERVERS = [pytest.param(name, marks=pytest.mark.real) for name in ("postgresql", "mariadb", "mysql")]
on_sqlite = pytest.mark.parametrize("vendor", ["sqlite"], indirect=True)
"""Marks tests that run only on SQLite, because their result is the same on all databases."""
ENTRY = {"event_key_field": "certificate.user.id", "enabled": True}


@pytest.fixture(params=[*SERVERS, "sqlite"])
def vendor(request: pytest.FixtureRequest, tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """
    Connect the default database. Unless a test selects a database, it runs four times: with databases on SQLite,
    PostgreSQL, MariaDB and MySQL.
    """
    if request.param == "sqlite":
        entry: dict[str, Any] = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "database")}
        with django_db_blocker.unblock(), connected(entry, "default"):
            call_command("migrate", verbosity=0)
            yield request.param
        return
    server = request.getfixturevalue(request.param)
    with database_on(server, f"trace_{next(_numbers)}", django_db_blocker) as database:
        with database.connected("default"):
            yield request.param


@pytest.fixture(autouse=True)
def service(vendor: str) -> Iterator[None]:
    """Set up a service without brokers, so that ``event_trace`` searches only tables."""
    with override_settings(
        EVENT_BUS_PRODUCER_MODE="outbox",
        EVENT_BUS_PRODUCER_CONFIG={CREATED: {"certificates": ENTRY}},
        EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS=None,
        EVENT_BUS_TOPIC_PREFIX="prod",
    ):
        yield


def emitted(user: int = 7) -> UUID:
    """Emit an event into the outbox; return its id."""
    metadata = EventsMetadata(event_type=CREATED)
    create_producer().send(
        signal=CERTIFICATE_CREATED,
        topic="certificates",
        event_key_field="certificate.user.id",
        event_data={"certificate": certificate(user)},
        event_metadata=metadata,
    )
    assert isinstance(metadata.id, UUID)
    return metadata.id


def park(row: OutboxRecord) -> None:
    """Park a row, as a relay does when Kafka refuses the row."""
    values = {field.attname: getattr(row, field.attname) for field in OutboxRecord._meta.concrete_fields}
    ParkedRecord.objects.create(**values, code="MSG_SIZE_TOO_LARGE", reason="too large", parked_at=1_767_323_045_678)
    row.delete()


def test_waiting_and_parked_rows_are_found_by_id_and_key() -> None:
    parked, waiting, _ = emitted(), emitted(), emitted(user=8)
    row, second, _ = OutboxRecord.objects.order_by("pk").values_list("pk", flat=True)
    park(OutboxRecord.objects.get(pk=row))
    text = trace(waiting)
    assert f"Event {waiting} of type {CREATED}, emitted 2" in text
    assert "Waiting since 2" in text
    assert f": row {second} of the outbox of database 'default', for topic prod-certificates, event {waiting}." in text
    text = trace(parked)
    assert f"Parked since 2026-01-02T03:04:05+00:00: row {row} of the outbox of database 'default', " in text
    assert (
        "Kafka refused it: MSG_SIZE_TOO_LARGE, too large. "
        f"Once the cause is gone: manage.py event_outbox release {row} --apply" in text
    )
    assert [one["event_id"] for one in found("--key", "7")["outbox"]] == [str(waiting), str(parked)]
    assert "learner" not in trace("--key", "7")
    assert found("--key", "9", finds=False)["outbox"] == []
    assert found(uuid4(), finds=False)["outbox"] == []


@on_sqlite
def test_event_trace_does_not_find_an_id_in_a_wrong_header_of_a_row() -> None:
    emitted()
    event_id = str(uuid1())
    OutboxRecord.objects.update(headers=pack((("ce_id", b"other"), ("cause", event_id.encode()))))
    assert found(event_id, finds=False)["outbox"] == []


def test_stored_and_deleted_dead_letters_are_found_with_the_state_of_each_receiver(sandbox: Sandbox) -> None:
    with override_settings(EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL=sandbox.schema_registry_url):
        record = record_of(7, offset=3)
        event_id = dict(record.headers)["ce_id"].decode()  # type: ignore[union-attr]
        letter = stored(record, "a.first", "a.second", "a.third")
        stored(record_of(8, offset=4), "a.first")
        before = pending.of_row(letter)
        amend(
            letter, lambda _: Change(pending={"a.second": before["a.second"]}, succeeded={"a.first": before["a.first"]})
        )
        text = trace(event_id)
        assert (
            f"Dead letter {TOPIC}:0:3 (number {letter.pk}) in group mail, event {event_id}. To replay it: manage.py "
            in text
        )
        assert "    a.second: failed after 5 attempts, the last 2026-01-02T03:04:05+00:00: ValueError.\n" in text
        assert "    a.first: succeeded 2" in text
        answer = found("--key", "7")
        assert [one["letter"] for one in answer["letters"]] == [letter.pk]
        discard(DeadLetter.objects.get(pk=letter.pk))
        text = trace(event_id)
    assert f"A dead letter of {TOPIC}:0:3 in group mail, event {event_id} was here, and is gone.\n" in text
    assert "    a.second: discarded 2" in text


@on_sqlite
def test_event_trace_finds_inbox_marks() -> None:
    def award(metadata: EventsMetadata, **_: Any) -> None:
        """Accept an event."""

    def greet(metadata: EventsMetadata, **_: Any) -> None:
        """Accept an event."""

    metadata = EventsMetadata(event_type=CREATED)
    receivers = [once(award), once(greet)]
    for number, receiver in enumerate(receivers):
        CERTIFICATE_CREATED.connect(receiver, dispatch_uid=f"uid-{number}")
    try:
        receivers[0](metadata=metadata)
        answer = found(metadata.id)
        assert [(one["database"], one["receiver"].rpartition(".")[2]) for one in answer["marks"]] == [
            ("default", "award")
        ]
        assert ".award has had it 2" in trace(metadata.id)
    finally:
        for number, receiver in enumerate(receivers):
            CERTIFICATE_CREATED.disconnect(receiver, dispatch_uid=f"uid-{number}")


def test_the_outbox_is_searched_in_slices_until_the_time_limit_of_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [emitted(user) for user in range(7)]
    monkeypatch.setattr("event_bus_kafka.operations.whereabouts.bytes_search._SLICE", 2)
    for event_id in ids:
        assert len(found(event_id)["outbox"]) == 1
    monkeypatch.setattr("event_bus_kafka.operations.whereabouts.outbox_rows.SECONDS", 1e-9)
    assert found(ids[0], finds=False)["unseen"][0]["what"] == "the outbox of database 'default' behind row 0"


@on_sqlite
def test_event_trace_makes_at_most_15_queries() -> None:
    event_id = emitted()
    found(event_id)
    with transaction.atomic(), CaptureQueriesContext(connection) as queries:
        found(event_id)
    assert len(queries) <= 15, [one["sql"] for one in queries]


@on_sqlite
def test_an_unreachable_database_is_reported_and_other_databases_are_searched(tmp_path: Path) -> None:
    event_id = emitted()
    away = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "missing" / "database")}
    with connected(away, "away"):
        answer = found(event_id)
    assert [one["database"] for one in answer["outbox"]] == ["default"]
    assert {
        "what": "the outbox of database 'away'",
        "why": "OperationalError SQLITE_CANTOPEN unable to open database file",
    } in answer["unseen"]


@on_sqlite
@pytest.mark.parametrize("target", ["zero", "0008", "0005"])
def test_event_trace_searches_only_the_tables_that_exist_after_older_migrations(target: str) -> None:
    call_command("migrate", "event_bus_kafka", target, verbosity=0)
    answer = found(uuid1(), finds=False)
    assert [one for one in answer["unseen"] if one["what"] != "Kafka"] == []


@on_sqlite
def test_event_trace_finds_rows_of_the_current_transaction() -> None:
    with transaction.atomic():
        assert len(found(emitted())["outbox"]) == 1
