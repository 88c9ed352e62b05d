"""
In the direct modes, events that Kafka does not confirm are spilled into the outbox, if the database has its tables. A
relay later sends these events.
"""

from __future__ import annotations

from contextlib import suppress
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connections, transaction
from django.test import modify_settings, override_settings
from openedx_events.data import EventsMetadata
from openedx_events.learning.signals import CERTIFICATE_CREATED

from event_bus_kafka.assembly.sending import spill
from event_bus_kafka.checks.tables import check_tables
from event_bus_kafka.models import OutboxRecord, ParkedRecord
from event_bus_kafka.sandbox import Sandbox
from event_bus_kafka.telemetry.events import (
    EventSpilled,
    EventUndelivered,
    ProducerStatistics,
    RecordDelivered,
    SpillDelayed,
    TopicHeld,
)
from tests.services.bus import CREATED
from tests.services.faulty_registry import Fault, faulty
from tests.services.kafka import KafkaCluster
from tests.services.silence import black_hole
from tests.support.databases import Database, connected, on_mysql_too
from tests.support.direct import AWAY, NO_REGISTRY, encoded, sender, spilled
from tests.support.examples_of import certificate
from tests.support.outbox_service import KEY_FIELD, Service, until
from tests.support.refusals import refuse
from tests.support.watching import watched

pytestmark = pytest.mark.real

INIT_PRODUCER_ID, CLUSTER_AUTHORIZATION_FAILED = 22, 31


def test_case_20_events_are_relayed_unchanged_after_a_spill_during_a_registry_outage(service: Service) -> None:
    """The record of a relayed event equals the record of a directly sent event byte for byte."""
    same = EventsMetadata(event_type=CREATED)
    ids: list[str] = []
    with faulty(service.bus.schema_registry_url) as registry:
        url = {"EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": registry.url}
        for fault in (Fault.DOWN, Fault.SLOW, Fault.SERVER_ERROR, Fault.UNAUTHORIZED):
            registry.fault, registry.asked = fault, 0
            with watched(EventSpilled) as seen, sender(service, **url) as service_sender:
                with transaction.atomic():
                    ids += [service_sender.send(metadata=same) if not ids else service_sender.send()]
                ids += [service_sender.send() for _ in range(2)]
            assert registry.asked == 1
            assert [event.event_id for event in seen] == ids[-3:]
    assert spilled() == ids
    status = StringIO()
    call_command("event_outbox", "status", stdout=status)
    assert "waiting  12, " in status.getvalue()
    with sender(service) as service_sender:
        service_sender.send(metadata=same)
    service.drain()
    assert service.ids(13) == [ids[0], *ids]
    direct, relayed, *_ = service.arrived(2)
    assert (direct.key(), direct.value(), direct.headers()) == (relayed.key(), relayed.value(), relayed.headers())


def test_case_30_a_full_client_queue_delays_only_one_event_and_unsent_events_are_spilled(service: Service) -> None:
    """If each event waited for room in the queue, the test would take minutes."""
    with black_hole() as address:
        changes = {
            "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": address,
            "EVENT_BUS_KAFKA_PRODUCER_OPTIONS": {"queue.buffering.max.messages": 5, "message.timeout.ms": 600_000},
        }
        with sender(service, **changes) as service_sender:
            ids = [service_sender.send() for _ in range(200)]
            until(lambda: service.waiting == 195)
        assert spilled() == ids[5:] + ids[:5]
    service.drain()
    assert sorted(service.ids(200)) == sorted(ids)


def test_events_wait_again_for_room_in_the_client_queue_after_kafka_confirmed_an_event(service: Service) -> None:
    with Sandbox() as sandbox:
        changes = {
            "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": sandbox.bootstrap_servers,
            "EVENT_BUS_KAFKA_PRODUCER_OPTIONS": {"queue.buffering.max.messages": 2},
            "EVENT_BUS_KAFKA_SEND_TIMEOUT": 1,
        }
        with sender(service, **changes) as service_sender:
            with sandbox.broker_down():
                ids = [service_sender.send() for _ in range(3)]
                until(lambda: spilled() == ids[2:])
            with watched(RecordDelivered) as seen:
                until(lambda: {event.event_id for event in seen} >= set(ids[:2]))
            with override_settings(EVENT_BUS_KAFKA_SEND_TIMEOUT=60):
                for _ in range(20):
                    service_sender.send()
        assert spilled() == ids[2:]


@on_mysql_too
def test_thousands_of_failed_events_are_spilled_in_order_with_few_statements(service: Service) -> None:
    changes = {"EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": AWAY, "EVENT_BUS_KAFKA_DELIVERY_TIMEOUT": 600}
    events = [({"certificate": certificate(1)}, EventsMetadata(event_type=CREATED)) for _ in range(2_000)]
    with sender(service, **changes) as service_sender:
        service_sender.producer.send_many(
            signal=CERTIFICATE_CREATED, topic=service.topic, event_key_field=KEY_FIELD, events=events
        )
    assert spilled() == [str(metadata.id) for _, metadata in events]
    statements = (
        OutboxRecord.objects.values("created").distinct().count()
    )  # the rows of one statement have the same time
    assert statements <= 20


@pytest.mark.parametrize("limit", ["client", "topic", "broker"])
def test_case_31_an_event_that_is_too_large_is_parked_and_other_events_are_sent(
    service: Service, cluster: KafkaCluster, limit: str
) -> None:
    topic, size, options = f"{service.topic}-{limit}", 3_000, {"linger.ms": 100}
    cluster.create_topic(topic, config={"max.message.bytes": "2000"} if limit == "topic" else {})
    if limit == "client":
        options["message.max.bytes"] = 2_000
    if limit == "broker":  # the client's own limit is slightly above a million
        options["message.max.bytes"], size = 3_000_000, 1_500_000
    changes = service.settings_for(topic) | {
        "EVENT_BUS_PRODUCER_MODE": "immediate",
        "EVENT_BUS_KAFKA_PRODUCER_OPTIONS": options,
    }
    with sender(service, **changes) as service_sender:
        for _ in range(2):
            service_sender.send(topic=topic)
        large = service_sender.send(topic=topic, name="x" * size)
        service_sender.send(topic=topic)
        service_sender.producer.prepare_for_shutdown()
        assert large in spilled()
        service.drain()
    (parked,) = ParkedRecord.objects.all()
    assert (parked.code, parked.topic) == ("MSG_SIZE_TOO_LARGE", topic)
    assert len(set(service.ids(3, topic))) == 3
    assert large not in service.ids(3, topic)


def test_case_34_events_of_a_failed_client_are_spilled_and_a_new_client_sends_the_next_event(service: Service) -> None:
    with Sandbox() as sandbox:
        refuse(sandbox, INIT_PRODUCER_ID, CLUSTER_AUTHORIZATION_FAILED)
        changes = {"EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": sandbox.bootstrap_servers}
        with sender(service, **changes) as service_sender, watched(RecordDelivered) as seen:
            with sandbox.broker_down():  # so that the error occurs while all three are in the queue
                ids = [service_sender.send() for _ in range(3)]
            until(lambda: service.waiting == 3)
            sent = service_sender.send()
            until(lambda: sent in [event.event_id for event in seen])
    assert spilled() == ids
    service.drain()
    assert service.ids(3) == ids


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_case_23_events_of_a_missing_topic_are_sent_after_the_topic_is_created(
    service: Service, cluster: KafkaCluster
) -> None:
    topic = f"{service.topic}-later"
    changes = service.settings_for(topic) | {
        "EVENT_BUS_PRODUCER_MODE": "on-commit",
        "EVENT_BUS_KAFKA_DELIVERY_TIMEOUT": 1,
    }
    with sender(service, **changes) as service_sender, watched(RecordDelivered, TopicHeld) as seen:

        def arrives_when_it_is_there(event_id: str) -> None:
            until(lambda: spilled() == [event_id])
            with service.relay() as relay:
                until(lambda: any(isinstance(event, TopicHeld) for event in seen), step=relay.step)
            cluster.create_topic(topic)
            service.drain()
            assert service.ids(1, topic) == [event_id]
            seen.clear()

        arrives_when_it_is_there(service_sender.send(topic=topic))
        sent: list[str] = []
        until(lambda: bool(seen), step=lambda: sent.append(service_sender.send(topic=topic)))  # sent directly again
        until(lambda: {*sent} <= {*spilled(), *(event.event_id for event in seen)})
        service.drain()
        cluster.delete_topic(topic)
        seen.clear()
        arrives_when_it_is_there(service_sender.send(topic=topic))


@on_mysql_too
def test_spilled_events_survive_the_rollback_of_the_surrounding_transaction(service: Service) -> None:
    with sender(service, **NO_REGISTRY | {"EVENT_BUS_PRODUCER_MODE": "immediate"}) as service_sender:
        with suppress(KeyError), transaction.atomic():
            ContentType.objects.create(app_label="is", model="rolled back")
            sent = service_sender.send()
            until(lambda: service.waiting)  # although the transaction is still open
            raise KeyError
    assert spilled() == [sent]
    assert not ContentType.objects.filter(app_label="is").exists()


def test_an_event_is_spilled_after_an_open_transaction_has_released_the_lock_of_sqlite(sqlite_service: Service) -> None:
    changes = NO_REGISTRY | {"EVENT_BUS_PRODUCER_MODE": "immediate"}
    with sender(sqlite_service, **changes) as service_sender, watched(SpillDelayed, EventUndelivered) as seen:
        with transaction.atomic():
            ContentType.objects.create(app_label="holds", model="the lock")
            sent = service_sender.send()
            until(lambda: seen)  # the five seconds of the spill's own lock timeout have passed
        until(lambda: spilled() == [sent])
    assert {type(event) for event in seen} == {SpillDelayed}


def test_events_are_spilled_into_the_database_that_the_topic_or_the_transaction_selects(
    service: Service, database: Database
) -> None:
    with database.connected("other"), sender(service, **NO_REGISTRY) as service_sender:
        with connections["other"].cursor() as cursor:
            cursor.execute("SELECT 1")
        with watched(EventSpilled) as seen:
            with transaction.atomic(using="other"):
                ids = [service_sender.send()]
            with transaction.atomic(), transaction.atomic(using="other"):
                ids.append(service_sender.send())
            ids.append(service_sender.send())
            named = service.settings(**NO_REGISTRY, EVENT_BUS_PRODUCER_MODE="on-commit")
            named["EVENT_BUS_PRODUCER_CONFIG"][CREATED][service.topic]["database"] = "other"
            with override_settings(**named):
                ids.append(service_sender.send())
                until(lambda: len(seen) == 4)
    outboxes = {event.event_id: event.database for event in seen}
    assert [outboxes[event_id] for event_id in ids] == ["other", "default", "default", "other"]


def test_events_are_spilled_into_the_default_database_if_their_database_has_no_tables(
    service: Service, tmp_path: Path
) -> None:
    entry = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "empty")}
    with connected(entry, "other"), sender(service, **NO_REGISTRY) as service_sender:
        with transaction.atomic(using="other"):
            service_sender.send()
        until(lambda: service.waiting == 1)


def test_events_are_spilled_when_settings_turn_autocommit_off(service: Service) -> None:
    with sender(service, **NO_REGISTRY) as service_sender, watched(EventSpilled) as spilled:
        connections.settings["default"]["AUTOCOMMIT"] = False  # applies to connections that are opened for the spill
        service_sender.send()
        until(lambda: len(spilled) == 1)
        spill.spill([encoded("x" * 300), encoded(service.topic)], RuntimeError("away"))
        until(lambda: len(spilled) == 2)
        assert service.waiting == 2
        assert spill.finish(0) == 1


def test_without_outbox_tables_an_unconfirmed_event_is_lost_and_the_error_says_how_to_create_the_tables(
    service: Service,
) -> None:
    with connections["default"].cursor() as cursor:
        cursor.execute(f"DROP TABLE {OutboxRecord._meta.db_table}")
    (warning,) = check_tables(databases=["default"])
    assert "events that Kafka does not confirm are lost" in str(warning.hint)
    with sender(service, **NO_REGISTRY) as service_sender, watched(EventUndelivered) as seen:
        lost = [service_sender.send()]
        until(lambda: len(seen) == 1)
        with modify_settings(INSTALLED_APPS={"remove": "event_bus_kafka"}):
            lost.append(service_sender.send())
            until(lambda: len(seen) == 2)
    assert [event.event_id for event in seen] == lost
    assert "run manage.py migrate" in str(seen[0].obstacle)
    assert "INSTALLED_APPS" in str(seen[1].obstacle)


def test_client_statistics_are_reported_if_configured(service: Service) -> None:
    wanted = {"EVENT_BUS_KAFKA_PRODUCER_OPTIONS": {"statistics.interval.ms": 100}}
    with sender(service, **wanted) as service_sender, watched(ProducerStatistics) as seen:
        service_sender.send()
        until(lambda: any(event.sent and event.brokers_up for event in seen))
