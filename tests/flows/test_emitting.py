"""A worker makes its last commit only if the events that receivers emitted are in Kafka or in the outbox."""

from __future__ import annotations

import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.projects.process import ServiceProcess
from tests.services.bus import REVOKED, Bus
from tests.support.examples_of import certificate
from tests.support.sending import send

AWAY = {"bootstrap.servers": "127.0.0.1:9"}
LINGERS = {"linger.ms": 1_000}
"""Options with which each emitted record waits in the client for a second."""

CONSUME = """
from django.core.management import call_command
call_command("consume_events", "-t", {topic!r}, "-g", {group!r})
"""
DIE_AFTER_THE_COMMIT = """
import os, signal
from event_bus_kafka.consuming.commits import Commits

commit = Commits.commit

def commit_and_die(*arguments):
    commit(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)

Commits.commit = commit_and_die
"""


@pytest.fixture
def emitted(bus: Bus, topic: str) -> str:
    """Return the topic to which the receivers send."""
    bus.create_topic(f"{topic}-emitted")
    return f"{topic}-emitted"


def worker(
    bus: Bus, topic: str, group: str, emitted: str, options: dict[str, Any], before: str = "", **changes: Any
) -> ServiceProcess:
    """Return a worker that commits offsets only when it stops."""
    config = {REVOKED: {emitted: {"event_key_field": "certificate.user.id", "enabled": True}}}
    settings = bus.settings(
        EVENT_BUS_PRODUCER_CONFIG=config,
        EVENT_BUS_KAFKA_PRODUCER_OPTIONS=options,
        EVENT_BUS_KAFKA_COMMIT_INTERVAL=3600,
        EVENT_BUS_KAFKA_REGISTRY_TIMEOUT=30,
        EVENT_BUS_KAFKA_SEND_TIMEOUT=60,
        EVENT_BUS_KAFKA_SHUTDOWN_FLUSH=30,
    )
    code = before + CONSUME.format(topic=topic, group=group)
    return ServiceProcess(code=code, settings=settings | changes, receivers="receivers.revoke")


def test_events_that_receivers_emit_are_in_kafka_before_the_last_commit(
    bus: Bus, topic: str, group: str, emitted: str
) -> None:
    send(bus, topic, certificate(1))
    with worker(bus, topic, group, emitted, LINGERS, DIE_AFTER_THE_COMMIT) as process:
        process.wait_for_users("revoke", [1])
        assert process.stop() == -signal.SIGKILL
    assert bus.committed(group, topic) == 1
    assert len(bus.event_ids(emitted, 1)) == 1


def test_events_that_receivers_emit_are_in_the_outbox_before_the_last_commit_if_no_broker_is_reachable(
    bus: Bus, topic: str, group: str, emitted: str, tmp_path: Path
) -> None:
    send(bus, topic, certificate(1))
    entry = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "database")}
    changes: dict[str, Any] = {"DATABASES": {"default": entry}, "EVENT_BUS_KAFKA_SHUTDOWN_FLUSH": 0.5}
    with ServiceProcess("migrate", settings=bus.settings(**changes)) as migrating:
        assert migrating.end() == 0, migrating.log
    with worker(bus, topic, group, emitted, AWAY, DIE_AFTER_THE_COMMIT, **changes) as process:
        process.wait_for_users("revoke", [1])
        assert process.stop() == -signal.SIGKILL
    assert bus.committed(group, topic) == 1
    with sqlite3.connect(tmp_path / "database") as database:
        assert database.execute("select topic from event_bus_kafka_outboxrecord").fetchall() == [(emitted,)]
    database.close()


def test_nothing_is_committed_when_an_emitted_event_cannot_reach_kafka_or_the_outbox(
    bus: Bus, topic: str, group: str, emitted: str
) -> None:
    send(bus, topic, certificate(1))
    with worker(bus, topic, group, emitted, AWAY, EVENT_BUS_KAFKA_SHUTDOWN_FLUSH=0.5) as process:
        process.wait_for_users("revoke", [1])
        assert process.stop() == 2
    assert f"Group {group}: 1 events that receivers emitted are neither in Kafka nor in the outbox" in process.log
    assert bus.committed(group, topic) < 0
    with worker(bus, topic, group, emitted, {}) as process:
        process.wait_for_users("revoke", [1])
        assert process.stop() == 0
    assert bus.committed(group, topic) == 1
    assert len(bus.event_ids(emitted, 1)) == 1


def test_a_worker_ends_without_a_commit_if_an_event_that_a_receiver_emitted_is_lost(
    bus: Bus, topic: str, group: str, emitted: str
) -> None:
    send(bus, topic, certificate(1))
    with worker(bus, topic, group, emitted, AWAY, EVENT_BUS_KAFKA_DELIVERY_TIMEOUT=1) as process:
        assert process.end() == 2
    assert f"Group {group}: 1 events that receivers emitted are neither in Kafka nor in the outbox" in process.log
    assert bus.committed(group, topic) < 0
