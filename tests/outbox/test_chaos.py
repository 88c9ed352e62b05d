"""
Relays are killed, frozen and disconnected under load. No event is lost, only emitted events arrive, and the first
deliveries of all events are in order.

`make test` sends few events. `make test-long` sends many events and prints figures.
"""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from time import monotonic, sleep

import psutil
import pytest

from tests.projects.process import ServiceProcess
from tests.services.bus import RealBus, header
from tests.services.kafka import KafkaCluster
from tests.services.schema_registry import SchemaRegistry
from tests.support.databases import Database, on_mysql_too
from tests.support.outbox_service import Service, until
from tests.support.scale import scaled
from tests.support.writing import everything, outcome, writer

pytestmark = [pytest.mark.real, pytest.mark.long, pytest.mark.timeout(3600)]


@pytest.fixture
def processes() -> Iterator[ExitStack]:
    """Yield a stack that ends all processes after the test."""
    with ExitStack() as processes:
        yield processes


def running(relay: ServiceProcess) -> ServiceProcess:
    relay.wait_for_log("Running relay")
    return relay


def end_of(writers: list[ServiceProcess]) -> None:
    for one in writers:
        one.wait_for(lambda one=one: one.has_ended, seconds=300)  # type: ignore[misc]
        assert one.end() == 0, one.log
        assert "ERROR" not in one.log, one.log


def frozen(victim: ServiceProcess, service: Service) -> int:
    """
    Freeze a relay; return the number of rows in the outbox. The open transaction of the relay has at most this number
    of rows.
    """
    victim.send(signal.SIGSTOP)
    until(lambda: psutil.Process(victim.pid).status() == psutil.STATUS_STOPPED)
    return service.waiting


def waits(database: Database) -> dict[str, int]:
    """
    Return the number of deadlocks, and the number of waits for locks. On PostgreSQL only current waits are counted. On
    MariaDB and MySQL all waits for row locks until now are counted.
    """
    if database.vendor == "postgresql":
        name = database.entry["NAME"]
        return {
            "deadlocks": int(
                database.server.execute(f"select deadlocks from pg_stat_database where datname = '{name}'")
            ),
            "waiting": int(
                database.server.execute(
                    "select count(*) from pg_locks l join pg_stat_activity a using (pid) where not l.granted"
                )
            ),
        }
    rows = database.server.execute(
        "select name, count from information_schema.innodb_metrics"
        " where name in ('lock_deadlocks', 'lock_row_lock_waits')"
    )
    found = dict(line.split("\t") for line in rows.splitlines())
    return {"deadlocks": int(found["lock_deadlocks"]), "waiting": int(found["lock_row_lock_waits"])}


@on_mysql_too
def test_case_4_35_36_41_44_no_event_is_lost_while_relays_are_killed_at_random(
    service: Service, database: Database, processes: ExitStack
) -> None:
    """A kill causes at most one transaction to be sent twice, and never changes the order of events."""
    seconds, count = scaled(4, long=60), scaled(2, long=8)
    before = waits(database)
    writers = [processes.enter_context(writer(service, number, seconds=seconds)) for number in range(1, count + 1)]
    relays = [running(processes.enter_context(service.relay_process())) for _ in range(2)]
    kills, waiting, claimed, end = 0, 0, 0, monotonic() + seconds
    while monotonic() < end:
        sleep(random.uniform(0.3, 1.5))
        victim = relays.pop(random.randrange(2))
        claimed += frozen(victim, service)
        victim.send(signal.SIGKILL)
        kills += 1
        relays.append(running(processes.enter_context(service.relay_process())))
        waiting += waits(database)["waiting"] if database.vendor == "postgresql" else 0
    end_of(writers)
    until(lambda: not service.waiting)
    assert [one.stop() for one in relays] == [0, 0]
    found = outcome(writers, everything(service.bus, service.topic))
    after = waits(database)
    print(
        f"{database.vendor}: {kills} kills with {claimed} rows at most, {found}, {before} → {after}, waiting {waiting}"
    )
    assert (found.lost, found.invented, found.disordered, found.late) == (0, 0, 0, 0)
    assert found.duplicates <= claimed, "at most the rows of the transactions of killed relays arrive twice"
    assert after["deadlocks"] == before["deadlocks"]
    if database.vendor != "postgresql":
        assert after["waiting"] == before["waiting"]
    assert waiting == 0


@on_mysql_too
def test_case_36_37_41_two_relays_send_each_committed_event_once_and_no_other_event(
    service: Service, database: Database, processes: ExitStack
) -> None:
    seconds, count = scaled(2, long=60), scaled(2, long=8)
    relays = [running(processes.enter_context(service.relay_process())) for _ in range(2)]
    before = waits(database)
    writers = [processes.enter_context(writer(service, number, seconds=seconds)) for number in range(1, count + 1)]
    end_of(writers)
    until(lambda: not service.waiting)
    after = waits(database)
    assert [one.stop() for one in relays] == [0, 0]
    found = outcome(writers, everything(service.bus, service.topic))
    print(f"{database.vendor}: {found}, {before} → {after}")
    assert found.is_exact, found
    assert after == before


def test_case_36_no_event_is_lost_or_out_of_order_if_one_of_two_relays_is_frozen_for_seconds(
    service: Service, database: Database, processes: ExitStack
) -> None:
    frozen_for = scaled(6, long=20)
    writers = [
        processes.enter_context(writer(service, number, seconds=frozen_for + 2, pause=0.02)) for number in (1, 2)
    ]
    frozen, other = (running(processes.enter_context(service.relay_process())) for _ in range(2))
    sleep(1)
    frozen.send(signal.SIGSTOP)
    sleep(frozen_for)
    frozen.send(signal.SIGCONT)
    end_of(writers)
    until(lambda: not service.waiting)
    assert [frozen.stop(), other.stop()] == [0, 0]
    found = outcome(writers, everything(service.bus, service.topic))
    print(f"{database.vendor}: frozen for {frozen_for} s: {found}")
    assert (found.lost, found.invented, found.disordered, found.late) == (0, 0, 0, 0)


def test_case_24_events_wait_in_the_outbox_during_a_broker_outage_and_are_sent_afterwards(
    schema_registry: SchemaRegistry, database: Database, processes: ExitStack
) -> None:
    gone = scaled(3, long=20)
    cluster = processes.enter_context(KafkaCluster())
    bus = RealBus(cluster, schema_registry)
    bus.create_topic("gone")
    processes.enter_context(database.connected("default"))
    service = processes.enter_context(Service(bus=bus, topic="gone", entry=database.entry).configured())
    relay = running(processes.enter_context(service.relay_process()))
    before = waits(database)
    writers = [processes.enter_context(writer(service, number, seconds=gone + 2, pause=0.02)) for number in (1, 2)]
    for one in writers:
        one.wait_for(lambda one=one: one.heard("committed"))  # type: ignore[misc]
    cluster.kill(1)
    sleep(gone)
    cluster.start(1)
    back = monotonic()
    end_of(writers)
    until(lambda: not service.waiting)
    print(f"{database.vendor}: drained {monotonic() - back:.1f} s after the broker was back")
    assert relay.stop() == 0
    found = outcome(writers, everything(bus, "gone"))
    print(found)
    assert (found.lost, found.invented, found.disordered, found.late) == (0, 0, 0, 0)
    assert waits(database) == before


_END_AT = """
import os, signal
from django.core.management import call_command
from event_bus_kafka.relaying import batch
from event_bus_kafka.relaying import claims

def end_after(owner, name):
    run = getattr(owner, name)

    def run_and_end(*arguments, **options):
        result = run(*arguments, **options)
        setattr(owner, name, run)
        os.kill(os.getpid(), signal.{signal})
        return result

    setattr(owner, name, run_and_end)

end_after(*{{
    "probed": (claims.Claims, "shards_with_rows"),
    "read": (claims.Claims, "rows"),
    "sent": (batch.Batch, "send"),
    "confirmed": (batch.Batch, "finish"),
    "removed": (claims.Claims, "park"),
}}[{point!r}])
call_command("relay_events")
"""
_POINTS = ("probed", "read", "sent", "confirmed", "removed")


def ending_at(point: str, signal_name: str, service: Service) -> ServiceProcess:
    """
    Return a relay process that sends itself a Unix signal. It does this when its step reaches ``point``, one of
    ``_POINTS``, for the first time.
    """
    return ServiceProcess(code=_END_AT.format(point=point, signal=signal_name), settings=service.process_settings())


def test_case_36_a_second_relay_sends_no_rows_from_the_batch_of_a_frozen_relay(service: Service) -> None:
    sent = [service.emit(1) for _ in range(5)]
    with ending_at("sent", "SIGSTOP", service) as frozen, service.relay() as other:
        until(lambda: psutil.Process(frozen.pid).status() == psutil.STATUS_STOPPED)
        sent += [service.emit(1) for _ in range(5)]
        for _ in range(5):
            other.step()
        assert service.waiting == 10, "the other relay may send neither the rows in flight nor later rows of their key"
        frozen.send(signal.SIGCONT)
        until(lambda: not service.waiting, step=other.step)
        assert frozen.stop() == 0
    arrived = [header(one, "ce_id") for one in service.bus.records_from(service.topic, 0)]
    assert list(dict.fromkeys(arrived)) == sent
    assert arrived[-1] == sent[-1]


@on_mysql_too
def test_case_4_35_rows_of_a_killed_relay_are_sent_in_order_and_at_most_twice(
    service: Service, database: Database, processes: ExitStack
) -> None:
    twice = 0
    for kill in range(scaled(len(_POINTS), long=40 * len(_POINTS))):
        point = _POINTS[kill % len(_POINTS)]
        sent = [service.emit(number % 3) for number in range(10)]
        before = service.bus.end_of(service.topic)
        with ending_at(point, "SIGKILL", service) as victim:
            assert victim.end() == -signal.SIGKILL, victim.log
        assert service.waiting == 10, "the database has rolled back the transaction of the victim"
        service.drain()
        arrived = [header(one, "ce_id") for one in service.bus.records_from(service.topic, before)]
        assert set(arrived) == set(sent)
        firsts = list(dict.fromkeys(arrived))
        for user in range(3):
            of_key = sent[user::3]
            assert [one for one in firsts if one in of_key] == of_key
        assert len(arrived) <= 20
        assert point != "confirmed" or len(arrived) == 20
        twice += len(arrived) - 10
    print(f"{database.vendor}: {kill + 1} kills, {twice} of {10 * (kill + 1)} twice")
