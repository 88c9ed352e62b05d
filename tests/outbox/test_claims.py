"""After the database has ended a relay's claim, the relay sends no further request with the claimed rows (case S9)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import sleep
from typing import Any

import pytest
from django.db import connections
from django.test import override_settings

from event_bus_kafka.relaying.connection import OwnConnection
from event_bus_kafka.relaying.statements import DIALECTS
from event_bus_kafka.sandbox import Sandbox
from event_bus_kafka.telemetry.events import RelayInterrupted
from tests.services.bus import SandboxBus
from tests.support.databases import Database, on_mysql_too
from tests.support.outbox_service import Service, until
from tests.support.watching import watched

pytestmark = pytest.mark.real


@contextmanager
def in_sandbox(sandbox: Sandbox, database: Database) -> Iterator[Service]:
    sandbox.create_topic("claimed", 1)
    bus = SandboxBus(sandbox)
    with database.connected("default"):
        with Service(bus=bus, topic="claimed", entry=database.entry).configured() as service:  # type: ignore[arg-type]
            yield service


def end_claims(database: Database) -> None:
    """End the database sessions that own a claim, as a failover or an administrator would."""
    name = database.entry["NAME"]
    if database.vendor == "postgresql":
        database.server.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            f"where datname = '{name}' and state = 'idle in transaction'"
        )
        return
    found = database.server.execute(
        "select t.trx_mysql_thread_id from information_schema.innodb_trx t join information_schema.processlist p "
        f"on p.id = t.trx_mysql_thread_id where p.db = '{name}'"
    )
    for session in found.split():
        database.server.execute(f"kill {session}")


def step_and_close(relay: Any) -> None:
    relay.step()
    connections.close_all()


@on_mysql_too
def test_s9_a_slow_query_does_not_count_as_a_lost_claim(database: Database) -> None:
    with database.connected("default"):
        shared = connections["default"]
        own = OwnConnection(shared, DIALECTS[shared.vendor])
        own.query("SELECT 1")
        statement = "SELECT pg_sleep(1)" if shared.vendor == "postgresql" else "SELECT SLEEP(1)"
        query = threading.Thread(target=own.query, args=(statement,))
        query.start()
        sleep(0.3)
        assert query.is_alive()
        assert not own.is_cut
        query.join()
        own.close()


@on_mysql_too
def test_s9_no_request_is_sent_after_the_database_ended_the_claim(database: Database) -> None:
    """
    Kafka is slow, so one request is in flight when the claim ends, and the other rows are still in the queue of the
    client.
    """
    requests = {"EVENT_BUS_KAFKA_PRODUCER_OPTIONS": {"batch.num.messages": 5}}
    with Sandbox() as sandbox, in_sandbox(sandbox, database) as service, override_settings(**requests):
        reached = service.emit(1)
        with service.relay() as first, service.relay() as second, watched(RelayInterrupted) as seen:
            until(lambda: not service.waiting, step=first.step)  # now it may send several rows of a key
            second._clients.reach({"claimed"}, alone=False)
            sent = [service.emit(1) for _ in range(15)]
            with sandbox.slow_brokers(3):
                step = threading.Thread(target=step_and_close, args=(first,))
                step.start()
                sleep(1)
                end_claims(database)
                until(lambda: bool(seen))
            sent += [service.emit(1) for _ in range(2)]
            until(lambda: not service.waiting, step=second.step)
            step.join(60)
            sleep(3)  # long enough for a wrongly sent request to arrive
        arrived = [dict(record.headers)["ce_id"] for record in sandbox.records("claimed", 24, seconds=3)]
    assert arrived == [event.encode() for event in [reached, *sent[:5], *sent]], (
        "the rows of the request in flight arrive twice"
    )
    assert seen[0].unconfirmed == 15
