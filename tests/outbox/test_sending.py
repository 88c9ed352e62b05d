"""In mode ``outbox``, an event is stored in the same transaction as the caller's rows, on each database (case 29)."""

from __future__ import annotations

from contextlib import closing, suppress

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction
from django.test import override_settings
from openedx_events.data import EventsMetadata
from openedx_events.learning.signals import CERTIFICATE_CREATED

from event_bus_kafka import create_producer, send_tombstone
from event_bus_kafka.assembly.schema_registry import registry
from event_bus_kafka.models import OutboxRecord, WriterSchema
from event_bus_kafka.outbox.append import shard_of
from event_bus_kafka.telemetry.events import AppendToOutboxFailed, EventRejected, OutboxAmbiguous
from tests.services.bus import CREATED, header
from tests.support.databases import Database, on_mysql_too
from tests.support.examples_of import certificate
from tests.support.outbox_service import KEY_FIELD, Service
from tests.support.watching import watched

pytestmark = pytest.mark.real


def test_a_relayed_event_equals_a_directly_sent_event_byte_for_byte(service: Service) -> None:
    metadata = EventsMetadata(event_type=CREATED)
    for mode in ("immediate", "outbox"):
        with override_settings(EVENT_BUS_PRODUCER_MODE=mode), transaction.atomic():
            producer = create_producer()
            producer.send(
                signal=CERTIFICATE_CREATED,
                topic=service.topic,
                event_key_field=KEY_FIELD,
                event_data={"certificate": certificate(name="naïve 学习 🎓\0")},
                event_metadata=metadata,
            )
            producer.prepare_for_shutdown()
    assert service.waiting == 1
    service.drain()
    direct, relayed = service.arrived(2)
    assert (direct.key(), direct.value(), direct.headers()) == (relayed.key(), relayed.value(), relayed.headers())


@on_mysql_too
def test_committed_events_are_sent_and_rolled_back_events_are_not_sent(service: Service) -> None:
    """
    The test covers a rollback, a rollback of a savepoint, a durable block, and autocommit. The first rollback also
    removes the row of the schema.
    """
    with suppress(KeyError), transaction.atomic():
        service.emit()
        raise KeyError
    with transaction.atomic(durable=True):
        first = service.emit()
        with suppress(KeyError), transaction.atomic():
            service.emit()
            raise KeyError
        second = service.emit()
    third = service.emit()
    service.drain()
    assert service.bus.event_ids(service.topic, 3) == [first, second, third]
    assert WriterSchema.objects.count() == 1


@on_mysql_too
def test_a_schema_is_written_again_after_a_rollback_of_the_savepoint_in_which_it_was_written(service: Service) -> None:
    with transaction.atomic():
        with suppress(KeyError), transaction.atomic():
            service.emit()
            raise KeyError
        sent = service.emit()
    service.drain()
    assert service.bus.event_ids(service.topic, 1) == [sent]


def test_an_event_goes_into_the_database_of_the_open_transaction(service: Service, database: Database) -> None:
    with database.connected("other"), transaction.atomic(using="other"):
        service.emit()
        assert OutboxRecord.objects.using("other").count() == 1
        assert service.waiting == 0
        with transaction.atomic():
            service.emit()
            assert service.waiting == 1
    assert service.waiting == 2


def test_s5_an_event_goes_into_the_first_of_several_open_transactions_unless_its_topic_names_a_database(
    service: Service, database: Database
) -> None:
    with database.connected("other"), database.connected("third"), watched(OutboxAmbiguous) as seen:
        with suppress(KeyError), transaction.atomic(using="other"):
            with transaction.atomic(using="third"):
                service.emit()
                assert [event.databases for event in seen] == [("other", "third")]
                named = service.settings()
                named["EVENT_BUS_PRODUCER_CONFIG"][CREATED][service.topic]["database"] = "third"
                with override_settings(**named):
                    service.emit()
                assert len(seen) == 1
            raise KeyError
        assert service.waiting == 1


@on_mysql_too
@pytest.mark.parametrize("mode", ["on-commit", "outbox"])
def test_with_autocommit_off_the_row_of_an_event_is_part_of_the_open_transaction(service: Service, mode: str) -> None:
    with override_settings(EVENT_BUS_PRODUCER_MODE=mode):
        connection.set_autocommit(False)
        service.emit()
        connection.rollback()
        sent = service.emit()
        connection.commit()
        connection.set_autocommit(True)
    assert service.waiting == 1
    service.drain()
    assert service.bus.event_ids(service.topic, 1) == [sent]


@on_mysql_too
def test_an_event_is_sent_after_the_commit_if_there_are_no_outbox_tables(service: Service) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {OutboxRecord._meta.db_table}")
    with watched(AppendToOutboxFailed) as seen, transaction.atomic():
        ContentType.objects.create(app_label="committed", model="anyway")
        sent = service.emit()
    assert service.bus.event_ids(service.topic, 1) == [sent]
    assert ContentType.objects.filter(app_label="committed").exists()
    assert [event.event_id for event in seen] == [sent]


def test_send_many_inserts_five_hundred_events_per_statement_and_rejects_only_the_invalid_event(
    service: Service,
) -> None:
    events = [({"certificate": certificate(1)}, EventsMetadata(event_type=CREATED)) for _ in range(1_001)]
    events[500][0]["certificate"] = certificate(1, grade=5)  # type: ignore[arg-type]
    with watched() as seen, transaction.atomic():
        connection.force_debug_cursor = True
        create_producer().send_many(
            signal=CERTIFICATE_CREATED, topic=service.topic, event_key_field=KEY_FIELD, events=iter(events)
        )
        inserts = [query for query in connection.queries if OutboxRecord._meta.db_table in query["sql"][:100]]
        connection.force_debug_cursor = False
    assert [event.event_id for event in seen if isinstance(event, EventRejected)] == [str(events[500][1].id)]
    assert sum("INSERT" in query["sql"] for query in inserts) == 3
    service.drain()
    assert service.ids(1_000) == [str(metadata.id) for _, metadata in events[:500] + events[501:]]


@on_mysql_too
def test_bulk_events_are_inserted_in_statements_smaller_than_the_server_limit(service: Service) -> None:
    """MariaDB accepts statements of at most 16 MB by default. The events of this test have a total size of 40 MB."""
    large = [
        ({"certificate": certificate(1, name="\0" * 500_000)}, EventsMetadata(event_type=CREATED)) for _ in range(80)
    ]
    with watched() as seen:
        create_producer().send_many(
            signal=CERTIFICATE_CREATED, topic=service.topic, event_key_field=KEY_FIELD, events=large
        )
    assert not [event for event in seen if isinstance(event, AppendToOutboxFailed)]
    assert service.waiting == 80


def test_waiting_rows_are_sent_with_their_original_schema(service: Service) -> None:
    service.emit()
    (schema,) = WriterSchema.objects.all()
    older = schema.value_schema.replace('"doc": "Avro Event Format', '"doc": "Older Avro Event Format')
    assert older != schema.value_schema
    WriterSchema.objects.update(value_schema=older)
    service.drain()
    (record,) = service.arrived(1)
    with closing(registry()) as schemas:
        assert "Older Avro" in schemas.schema_of(int.from_bytes((record.value() or b"")[1:5], "big"))


@on_mysql_too
def test_a_tombstone_is_sent_after_the_commit_and_keeps_its_place_among_the_events_of_its_key(service: Service) -> None:
    with suppress(ZeroDivisionError), transaction.atomic():
        send_tombstone(CERTIFICATE_CREATED, service.topic, 7)
        assert service.waiting == 1
        raise ZeroDivisionError
    service.emit(7)
    with transaction.atomic():
        send_tombstone(CERTIFICATE_CREATED, service.topic, 7)
    service.emit(7)
    service.drain()
    first, deleted, last = service.arrived(3)
    assert [one.value() is None for one in (first, deleted, last)] == [False, True, False]
    assert first.key() == deleted.key() == last.key()
    assert dict(first.headers() or ()).keys() == dict(deleted.headers() or ()).keys()
    assert header(deleted, "ce_type") == CREATED


def test_a_tombstone_is_sent_from_an_outbox_on_sqlite(sqlite_service: Service) -> None:
    send_tombstone(CERTIFICATE_CREATED, sqlite_service.topic, 7)
    sqlite_service.drain()
    (deleted,) = sqlite_service.arrived(1)
    assert deleted.value() is None


def test_keys_are_spread_over_all_shards_and_the_shard_of_a_key_never_changes() -> None:
    assert {shard_of("topic", b"%d" % key) for key in range(200)} == set(range(16))
    assert shard_of("topic", b"key") == shard_of("topic", b"key") == 4  # a fixed number, also in later versions
