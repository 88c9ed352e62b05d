"""
A worker survives a database that is unreachable at the start, that is read-only after a failover, or that accepts no
further connections (case C15).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from django.db import OperationalError

from event_bus_kafka.dispatching.outages import FULL, outage_of
from event_bus_kafka.models import PausedReceiver
from tests.services.bus import RealBus
from tests.support.databases import Database, connected, none_known, on_mysql_too
from tests.support.dead_letters import InTable, OnTopic
from tests.support.examples_of import certificate
from tests.support.sending import send
from tests.support.workers import worker

pytestmark = pytest.mark.real

PAUSED = "tests.projects.certificates.receivers.fail"


def test_c12_the_attempt_after_a_failover_uses_a_new_connection(
    bus: RealBus, topic: str, group: str, database: Database
) -> None:
    kept = OnTopic(bus, group).create()
    entry = database.entry | {"CONN_MAX_AGE": 600}
    send(bus, topic, *map(certificate, (1, 2)))
    with worker(bus, topic, group, "hosts.write", DATABASES={"default": entry}, **kept.settings) as process:
        process.wait_for(lambda: sorted(process.users("written")) == [1, 2])
        process.wait_for(lambda: bus.committed(group, topic) == 2)
        assert process.stop() == 0
    assert sorted(process.users("tried")) == [1, 1, 2]
    assert kept.read(0) == []


def test_c15_a_paused_receiver_does_not_run_if_the_database_is_unreachable_when_the_worker_starts(
    bus: RealBus, topic: str, group: str, database: Database
) -> None:
    with database.connected():
        PausedReceiver.objects.using("real").pause(PAUSED, at=datetime.now(UTC))
    kept = InTable(database.entry, database.blocker)
    send(bus, topic, certificate(1))
    database.server.stop()
    with worker(bus, topic, group, "fail,note", **kept.settings) as process:
        process.wait_for_log("The list of paused receivers cannot be read")
        process.wait_for_log("PausesUnknown")
        database.server.start()
        process.wait_for_users("note", [1])
        process.wait_for(lambda: bus.committed(group, topic) == 1)
        assert process.stop() == 0
    assert process.users("fail") == []
    assert [one.receiver for letter in kept.read(1) for one in letter.failures] == [PAUSED]


@pytest.fixture
def narrow(database: Database) -> Iterator[dict[str, object]]:
    """Yield the connection settings of a user who may have only one connection at a time."""
    if database.vendor == "postgresql":
        database.server.execute("CREATE ROLE narrow LOGIN CONNECTION LIMIT 1")
    else:
        database.server.execute("CREATE USER narrow@'%' WITH MAX_USER_CONNECTIONS 1")
        database.server.execute("GRANT ALL ON *.* TO narrow@'%'")
    yield database.entry | {"USER": "narrow", "PASSWORD": ""}
    database.server.execute("DROP ROLE narrow" if database.vendor == "postgresql" else "DROP USER narrow@'%'")


@on_mysql_too
def test_a_database_without_free_connections_counts_as_an_outage(database: Database, narrow: dict[str, object]) -> None:
    with database.blocker.unblock(), none_known(), connected(narrow, "narrow") as connection:
        connection.ensure_connection()
        with pytest.raises(OperationalError) as refused:
            connection.copy().ensure_connection()
        assert outage_of(refused.value) == FULL
