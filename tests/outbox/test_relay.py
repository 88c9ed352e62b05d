"""
A relay sends the rows that Kafka accepts, parks the rows that Kafka refuses permanently, and holds the rows that Kafka
temporarily cannot accept.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, closing
from time import monotonic, sleep

import attrs
import pytest
from django.db import connections, transaction
from django.test import override_settings
from openedx_events.learning.signals import CERTIFICATE_REVOKED

from event_bus_kafka.assembly.schema_registry import registry
from event_bus_kafka.models import SHARDS, OutboxRecord, OutboxShard, ParkedRecord, WriterSchema
from event_bus_kafka.outbox import writer_schemas
from event_bus_kafka.relaying import claims
from event_bus_kafka.relaying import relay as relaying
from event_bus_kafka.relaying.claims import Claims
from event_bus_kafka.telemetry import tallies
from event_bus_kafka.telemetry.events import RowParked
from event_bus_kafka.telemetry.metrics import ROWS_SENT
from tests.services.bus import CREATED, header
from tests.support.databases import Database, on_mysql_too
from tests.support.outbox_service import Service, until
from tests.support.watching import watched

pytestmark = pytest.mark.real

OUTBOX = OutboxRecord._meta.db_table


@on_mysql_too
def test_case_31_39_only_the_row_that_is_too_large_for_the_client_is_parked(service: Service) -> None:
    """The client of the relay refuses the row."""
    sent = [service.emit(number % 7, name="x" * 2_000_000 * (number == 500)) for number in range(1_000)]
    before = tallies.total(ROWS_SENT)
    with watched(RowParked) as seen, override_settings(EVENT_BUS_KAFKA_AUDIT_LOGGING_ENABLED=False):
        service.drain()
    (parked,) = seen
    assert tallies.total(ROWS_SENT) == before + 999, "rows are counted although no log line names them"
    assert (parked.code, parked.event_id) == ("MSG_SIZE_TOO_LARGE", sent[500])
    assert sorted(service.ids(999)) == sorted(sent[:500] + sent[501:])
    (row,) = ParkedRecord.objects.all()
    assert (row.code, row.topic, b"xxx" in bytes(row.body or b"")) == ("MSG_SIZE_TOO_LARGE", service.topic, True)


def test_case_31_a_row_is_parked_and_not_sent_if_it_is_too_large_for_its_topic(service: Service) -> None:
    """
    Kafka would refuse the whole request that contains the row, so the relay must not send it together with other rows.
    """
    small = f"{service.topic}-small"
    service.bus._cluster.create_topic(small, config={"max.message.bytes": "20000"})
    with override_settings(**service.settings_for(small)):
        sent = [service.emit(1, topic=small, name="x" * 30_000 * (number == 50)) for number in range(100)]
        service.drain()
    assert service.ids(99, small) == sent[:50] + sent[51:]
    (row,) = ParkedRecord.objects.all()
    assert row.code == "MSG_SIZE_TOO_LARGE"
    assert row.reason.endswith("more than the 20,000 that the topic takes"), "it was not sent"


def test_rows_are_sent_if_the_size_limit_of_their_topic_is_unknown(service: Service) -> None:
    """
    The relay does not know the limit of a topic that was created after the relay requested the limits. It also does not
    know the limit of a topic that it has no right to describe.
    """
    small, late = f"{service.topic}-small", f"{service.topic}-late"
    service.bus._cluster.create_topic(small, config={"max.message.bytes": "20000"})
    with override_settings(**service.settings_for(small, late)):
        sent = service.emit(1, topic=late, name="x" * 30_000)
        with service.relay() as relay:
            relay.step()
            service.bus.create_topic(late)
            until(lambda: not service.waiting, step=relay.step)
    assert service.ids(1, late) == [sent]
    assert not ParkedRecord.objects.exists()


def test_case_31_only_the_row_that_kafka_refuses_for_its_size_is_parked(service: Service) -> None:
    """
    When a relay makes its client, it asks Kafka for the size limits of the topics in the settings. The topic of this
    test is not in the settings. The relay therefore sends the row, and Kafka refuses it. The same happens if a limit is
    lowered while a relay runs.
    """
    small = f"{service.topic}-shrunk"
    service.bus._cluster.create_topic(small, config={"max.message.bytes": "20000"})
    sent = service.emit_many(2_010, topic=small, name=lambda number: "x" * 30_000 * (number == 50))
    with service.relay() as relay:
        until(lambda: not service.waiting, step=relay.step)
        later = service.emit_many(1_000, topic=small)
        until(lambda: not service.waiting, step=relay.step)
    arrived = service.ids(3_009, small)
    assert sorted(arrived[:-1_000]) == sorted(sent[:50] + sent[51:])
    assert arrived[-1_000:] == later, "later requests fit the limit"
    assert ParkedRecord.objects.count() == 1


@on_mysql_too
def test_case_37_a_row_is_sent_even_if_rows_with_higher_ids_were_committed_earlier(
    service: Service, database: Database
) -> None:
    """
    The relay has already sent rows with higher ids when the row is committed. The row must nevertheless not be lost.
    """
    with database.connected("other"), service.relay() as relay:
        service.emit()
        with transaction.atomic():
            first = service.emit()
            named = service.settings()
            named["EVENT_BUS_PRODUCER_CONFIG"][CREATED][service.topic]["database"] = "other"
            with override_settings(**named):
                second = service.emit()
            until(lambda: OutboxRecord.objects.using("other").count() == 0, step=relay.step)
        until(lambda: not service.waiting, step=relay.step)
    assert service.ids(3)[1:] == [second, first]


@on_mysql_too
def test_a_batch_contains_no_row_that_was_appended_after_the_start_of_the_batch(service: Service) -> None:
    """
    A row may be committed between two chunks of the batch. If a later chunk contained a newer row of the same key, the
    newer row would be sent first.
    """
    service.emit(1)
    claims = Claims("default", notify=False, parked_holds_key=False)
    with claims.claim(range(16)) as shards:
        plan = claims.plan(shards, {})
        service.emit(1)
        assert [len(claims.rows(ids)) for ids in plan.chunks] == [1]
    claims.close()


@on_mysql_too
def test_chunks_are_limited_in_bytes_and_contain_every_row(service: Service) -> None:
    sent = [service.emit(1, name="x" * 900_000 * (number % 20 < 10)) for number in range(40)]
    claims = Claims("default", notify=False, parked_holds_key=False)
    with claims.claim(range(16)) as shards:
        plan = claims.plan(shards, {})
    claims.close()
    assert [len(ids) for ids in plan.chunks] == [2, 2, 2, 2, 12] * 2, "as many as fit into two megabytes"
    service.drain()
    assert service.ids(40) == sent
    assert not ParkedRecord.objects.exists()


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_notification_wakes_a_waiting_relay_on_postgresql(service: Service) -> None:
    claims = Claims("default", notify=True, parked_holds_key=False)
    assert claims.shards_with_rows() == []
    with override_settings(EVENT_BUS_KAFKA_RELAY_NOTIFY=True):
        service.emit()
    assert claims.wait(0.1, longest=3_600) == 0.0, "at once, long before the hour is over"
    claims.close()


@on_mysql_too
def test_a_relay_leaves_shards_to_other_relays_while_the_backlog_is_large(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relay that seems to be the only one leaves shards to others only every few seconds."""
    asked: list[int] = []
    claim = Claims.claim

    def noted(self: Claims, shards: Sequence[int]) -> AbstractContextManager[list[int]]:
        asked.append(len(shards))
        return claim(self, shards)

    monkeypatch.setattr(claims, "_BATCH_ROWS", 16)
    with transaction.atomic():
        for user in range(600):
            service.emit(user)
    with service.relay() as relay, closing(Claims("default", notify=False, parked_holds_key=False)) as other:
        monkeypatch.setattr(Claims, "claim", noted)
        monkeypatch.setattr(relaying, "_LEAVES_EVERY", 3_600.0)
        relay._left_at = monotonic()
        for _ in range(3):
            relay.step()
        relay._left_at -= 3_600
        relay.step()
        with claim(other, range(SHARDS - 1)):
            until(lambda: len(asked) == 5, step=relay.step)
        for _ in range(5):
            relay.step()
    assert asked == [16, 16, 16, 4, 16, 4, 4, 4, 4, 16]


@on_mysql_too
def test_a_relay_that_leaves_shards_to_other_relays_sends_a_smaller_batch(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A batch of the usual size would send many more rows of the claimed shards than of the other shards. The ids of later
    batches would then have gaps, which makes batches slower.
    """
    monkeypatch.setattr(claims, "_BATCH_ROWS", 5 * SHARDS)
    with transaction.atomic():
        for user in range(600):
            service.emit(user)
    with service.relay() as relay:
        relay.step()
        waiting = service.waiting
        relay._left_at -= 3_600
        relay.step()
    assert 0 < waiting - service.waiting <= 5 * 4, "of four shards"


@on_mysql_too
def test_case_41_writers_and_relays_do_not_wait_for_locks(service: Service) -> None:
    """
    The relay owns a claim while rows are inserted. It also removes rows while transactions with inserts are open.

    If a writer or the relay waited for a lock, the wait would end with a lock timeout.
    """
    for user in range(50):
        service.emit(user)
    entry = connections["default"]
    claims = Claims("default", notify=False, parked_holds_key=False)
    with claims.claim(range(16)) as shards:
        assert shards == list(range(16))
        (ids,) = claims.plan(shards, {}).chunks
        assert len(claims.rows(ids)) == 50
        with transaction.atomic():
            written: list[str] = []
            writer = threading.Thread(target=_emit_elsewhere, args=(service, entry, written))
            writer.start()
            for user in range(50):
                service.emit(user)
            claims.remove(ids)
            writer.join(60)
    assert len(written) == 50
    assert service.waiting == 100
    claims.close()


@on_mysql_too
def test_a_second_relay_claims_only_shards_that_are_still_free(service: Service) -> None:
    first, second = (Claims("default", notify=False, parked_holds_key=False) for _ in range(2))
    with first.claim([1, 2, 3]) as mine, second.claim(range(16)) as theirs:
        assert mine == [1, 2, 3]
        assert theirs == [0, *range(4, 16)]
    with second.claim(range(16)) as theirs:
        assert theirs == list(range(16))
    first.close()
    second.close()


def test_a_relay_sends_a_row_although_the_table_of_shards_was_emptied(service: Service) -> None:
    OutboxShard.objects.all().delete()
    sent = service.emit()
    service.drain()
    assert service.bus.event_ids(service.topic, 1) == [sent]


@on_mysql_too
@pytest.mark.parametrize("holds", [False, True])
def test_a_parked_row_delays_later_rows_of_its_key_only_if_configured(service: Service, holds: bool) -> None:
    with override_settings(EVENT_BUS_KAFKA_OUTBOX_PARKED_HOLDS_KEY=holds):
        too_large = service.emit(1, name="x" * 2_000_000)
        follower, other = service.emit(1), service.emit(2)
        with service.relay() as relay:
            until(lambda: service.waiting == holds, step=relay.step)
            relay.step()
        assert sorted(service.ids(2 - holds)) == sorted([other] if holds else [follower, other])
        assert service.waiting == holds
        ParkedRecord.objects.update(body=OutboxRecord.objects.first().body if holds else b"")  # type: ignore[union-attr]
        assert ParkedRecord.objects.all().release() == 1
        service.drain()
    expected = [other, too_large, follower] if holds else [follower, other, too_large]
    assert [one for one in service.ids(3) if one != other] == [one for one in expected if one != other]


def test_a_row_is_parked_if_its_schema_is_missing(service: Service) -> None:
    service.emit()
    OutboxRecord.objects.update(schema_id=4711)
    service.drain()
    assert list(ParkedRecord.objects.values_list("code", flat=True)) == ["_NO_SCHEMA"]


@on_mysql_too
def test_no_row_is_sent_with_a_wrong_schema_after_a_database_restore(service: Service) -> None:
    """
    The relay and the writer started before the restore. They have cached ids of schemas that the restored database does
    not contain. After the restore another process stores other schemas under these ids.
    """
    with service.relay() as relay:
        service.emit()
        until(lambda: not service.waiting, step=relay.step)
        (known,) = WriterSchema.objects.values_list("pk", flat=True)
        with connections["default"].cursor() as cursor:
            restart = " RESTART IDENTITY" * (cursor.db.vendor == "postgresql")
            cursor.execute(f"TRUNCATE TABLE {WriterSchema._meta.db_table}{restart}")
        service.emit(signal=CERTIFICATE_REVOKED)
        writer_schemas._known.update(
            {name: attrs.evolve(one, until=0.0) for name, one in writer_schemas._known.items()}
        )
        service.emit()
        until(lambda: not service.waiting, step=relay.step)
    assert known in WriterSchema.objects.values_list("pk", flat=True), "rows that refer to this schema can be sent"
    with closing(registry()) as ids:
        written = [ids.schema_of(int.from_bytes((one.value() or b"")[1:5], "big")) for one in service.arrived(3)]
    assert ["certificate.revoked.v1" in schema for schema in written] == [False, True, False]


@on_mysql_too
def test_case_38_a_relay_reconnects_after_its_database_restarted(service: Service, database: Database) -> None:
    with service.relay() as relay:
        sent = [service.emit()]
        until(lambda: not service.waiting, step=relay.step)
        database.server.kill()
        relay.step()
        database.server.start()
        connections["default"].close()
        sent.append(service.emit())
        until(lambda: not service.waiting, step=relay.step)
    assert service.bus.event_ids(service.topic, 2) == sent


def test_a_relay_on_sqlite_sends_the_rows_of_each_key_in_order(sqlite_service: Service) -> None:
    with transaction.atomic():
        sent = [sqlite_service.emit(number % 3) for number in range(50)]
        sent.append(sqlite_service.emit(name="x" * 2_000_000))
    sqlite_service.drain()
    arrived = sqlite_service.arrived(50)
    for user in range(3):
        of_key = [header(record, "ce_id") for record in arrived if (record.key() or b"")[-1:] == bytes([2 * user])]
        assert of_key == [one for one in sent[:50] if one in of_key]
    assert len(arrived) == 50
    assert ParkedRecord.objects.count() == 1


def _emit_elsewhere(service: Service, entry: object, written: list[str]) -> None:
    connections["default"] = entry.copy()  # type: ignore[attr-defined]
    try:
        for user in range(50):
            written.append(service.emit(user))
    finally:
        connections["default"].close()


def test_a_relay_pauses_at_most_two_seconds_after_a_slow_query(service: Service, database: Database) -> None:
    """
    A query may take long because the relay was frozen or the server was busy. Without the limit, the relay would then
    pause for a long time.
    """
    lock, unlock = (
        (f"LOCK TABLE {OUTBOX} IN ACCESS EXCLUSIVE MODE", "SELECT 1")
        if database.vendor == "postgresql"
        else (f"LOCK TABLES {OUTBOX} WRITE", "UNLOCK TABLES")
    )
    rests: list[float] = []
    with service.relay() as relay:
        relay.step()  # connects to Kafka and the database
        relay._pause = rests.append
        step = threading.Thread(target=relay.step)
        with transaction.atomic(), connections["default"].cursor() as cursor:
            cursor.execute(lock)
            step.start()
            sleep(1.5)
            cursor.execute(unlock)
        step.join(60)
    (rest,) = rests
    assert 0.1 < rest <= 2, "without the limit, this query would cause a pause of more than fifteen seconds"
