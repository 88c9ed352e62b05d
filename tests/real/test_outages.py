"""
A database, the registry or the topic for dead letters is unreachable. Records that need it wait, and other records are
processed.
"""

from __future__ import annotations

from time import sleep

import pytest
from django.db import DatabaseError, OperationalError

from event_bus_kafka.dispatching.outages import outage_of
from tests.projects.process import ServiceProcess
from tests.services.bus import RealBus
from tests.services.faulty_registry import Fault, faulty
from tests.support.databases import Database, none_known
from tests.support.dead_letters import InTable, Kept, OnTopic
from tests.support.examples_of import certificate
from tests.support.scale import scaled
from tests.support.sending import send
from tests.support.workers import worker

pytestmark = pytest.mark.real

ONCE = {"EVENT_BUS_KAFKA_RETRY": {"attempts": 1, "first_delay": 0.2, "factor": 1}}
TWICE = {"EVENT_BUS_KAFKA_RETRY": {"attempts": 2, "first_delay": 0.2, "factor": 1}}


@pytest.mark.long
@pytest.mark.parametrize("way", ["stop", "kill"])
def test_events_wait_for_an_unreachable_database_and_none_becomes_a_dead_letter(
    bus: RealBus, topic: str, group: str, database: Database, way: str
) -> None:
    kept = OnTopic(bus, group).create()
    send(bus, topic, certificate(1))
    settings = ONCE | kept.settings | database.settings()
    with worker(bus, topic, group, "effects.query", **settings) as process:
        process.wait_for_users("query", [1])
        getattr(database.server, way)()
        send(bus, topic, *map(certificate, (2, 3, 2, 4)))
        process.wait_for_log("(hold)")
        sleep(scaled(2, long=60))
        database.server.start()
        process.wait_for(lambda: len(process.users("query")) == 5)
        assert process.stop() == 0
    assert sorted(process.users("query")) == [1, 2, 2, 3, 4]
    assert bus.committed(group, topic) == 5
    assert kept.read(0) == []


def test_a_failed_connection_counts_as_an_outage_even_after_the_database_has_restarted(database: Database) -> None:
    with none_known(), database.connected() as connection:
        database.server.stop()
        with pytest.raises(OperationalError) as away:
            connection.ensure_connection()
        database.server.start()
        with pytest.raises(DatabaseError) as wrong:
            connection.cursor().execute("select nonsense")
        assert outage_of(away.value)
        assert not outage_of(wrong.value)


@pytest.mark.long
def test_case_20_events_wait_for_an_unreachable_registry_and_none_becomes_a_dead_letter(
    bus: RealBus, topic: str, group: str
) -> None:
    kept = OnTopic(bus, group).create()
    with faulty(bus.schema_registry_url) as registry:
        registry.fault = Fault.DOWN
        settings = ONCE | kept.settings | {"EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": registry.url}
        with worker(bus, topic, group, "note", **settings) as process:
            send(bus, topic, *map(certificate, range(50)))
            process.wait_for_log("(hold)")
            sleep(scaled(1, long=60))
            registry.fault = None
            process.wait_for(lambda: len(process.users("note")) == 50)
            assert process.stop() == 0
    assert sorted(process.users("note")) == list(range(50))
    assert bus.committed(group, topic) == 50
    assert kept.read(0) == []


def make_rows(database: Database) -> None:
    with database.connected() as connection, connection.cursor() as cursor:
        cursor.execute("create table effects (id integer primary key, count integer)")
        cursor.execute("insert into effects values (1, 0), (2, 0)")


def test_a_deadlock_counts_as_a_failed_attempt(bus: RealBus, topic: str, group: str, database: Database) -> None:
    make_rows(database)
    kept = OnTopic(bus, group).create()
    send(bus, topic, *map(certificate, (1, 2)))
    settings = ONCE | kept.settings | database.settings()
    with worker(bus, topic, group, "effects.deadlock", lanes=2, **settings) as process:
        process.wait_for_log("stored as a dead letter")
        process.wait_for(lambda: process.heard("deadlock survived"))
        assert process.stop() == 0
    (letter,) = kept.read(1)
    assert (letter.attempts, letter.failures[0].error) == (1, "OperationalError")
    assert process.users("deadlock survived") == [2 - letter.record.offset]
    assert "(hold)" not in process.log


def test_an_oversized_statement_counts_as_a_failed_attempt(
    bus: RealBus, topic: str, group: str, database: Database
) -> None:
    kept = OnTopic(bus, group).create()
    send(bus, topic, certificate(1))
    settings = TWICE | kept.settings | database.settings()
    with worker(bus, topic, group, "effects.oversize", **settings) as process:
        process.wait_for_log("stored as a dead letter")
        assert process.stop() == 0
    assert process.users("oversize") == [1, 1]
    (letter,) = kept.read(1)
    assert (letter.attempts, letter.failures[0].error) == (2, "OperationalError")
    assert "(hold)" not in process.log


def wait_while_the_store_is_away(process: ServiceProcess, store: str) -> None:
    process.wait_for(lambda: len(process.users("some")) == 5)
    process.wait_for_log(f"DeadLetterStoreFailed: {store}")  # logged once a minute, however many attempts fail
    assert sorted(process.users("some")) == [1, 1, 2, 3, 4], "a receiver ran again"


def end_with_the_letter(process: ServiceProcess, bus: RealBus, topic: str, group: str, kept: Kept) -> None:
    process.wait_for_log("stored as a dead letter")
    assert process.stop() == 0
    assert sorted(process.users("some")) == [1, 1, 2, 3, 4]
    assert [letter.record.offset for letter in kept.read(1)] == [1]
    assert bus.committed(group, topic) == 4


def test_case_14_dead_letters_wait_for_a_stopped_database(
    bus: RealBus, topic: str, group: str, database: Database
) -> None:
    kept = InTable(database.entry, database.blocker)
    with worker(bus, topic, group, "trouble.fail_for_some", {"FAILING": "1"}, **TWICE | kept.settings) as process:
        process.wait_for_log("partitions assigned")
        database.server.stop()
        send(bus, topic, *map(certificate, (2, 1, 3, 4)))
        wait_while_the_store_is_away(process, "table")
        process.wait_for(lambda: bus.committed(group, topic) == 1, "for the commit of the finished event")
        database.server.start()
        end_with_the_letter(process, bus, topic, group, kept)


def test_case_14_dead_letters_wait_for_a_topic_that_does_not_exist(bus: RealBus, topic: str, group: str) -> None:
    kept = OnTopic(bus, group)
    options = {"EVENT_BUS_KAFKA_PRODUCER_OPTIONS": {"topic.metadata.propagation.max.ms": 100}}
    settings = TWICE | kept.settings | options
    with worker(bus, topic, group, "trouble.fail_for_some", {"FAILING": "1"}, **settings) as process:
        send(bus, topic, *map(certificate, (2, 1, 3, 4)))
        wait_while_the_store_is_away(process, "topic")
        process.wait_for(lambda: bus.committed(group, topic) == 1, "for the commit of the finished event")
        kept.create()
        end_with_the_letter(process, bus, topic, group, kept)
