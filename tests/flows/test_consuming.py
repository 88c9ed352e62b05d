"""A worker in a process of its own: what it does with events, and how it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.test import override_settings
from openedx_events.data import EventsMetadata
from openedx_events.learning.data import CertificateData
from openedx_events.learning.signals import CERTIFICATE_CREATED

from event_bus_kafka import create_producer
from tests.bus import CREATED, Bus
from tests.examples_of import certificate
from tests.service.process import ServiceProcess

OURS_FIRST = {"INSTALLED_APPS": ["tests.service", "event_bus_kafka", "openedx_events"]}
OURS_LAST = {"INSTALLED_APPS": ["tests.service", "openedx_events", "event_bus_kafka"]}
NOT_INSTALLED = {"INSTALLED_APPS": ["tests.service", "openedx_events"]}


SEND_ONE = """
from openedx_events.learning.signals import CERTIFICATE_CREATED
from tests.examples_of import certificate
CERTIFICATE_CREATED.send_event(certificate=certificate(1))
"""


@contextmanager
def frozen_when_told() -> Iterator[tuple[dict[str, Any], Callable[[], None]]]:
    """Run a sandbox as a process; give the settings for it, and what makes it silent while its connections stay."""
    command = [sys.executable, "-m", "event_bus_kafka.sandbox", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        addresses = json.loads(process.stdout.readline())
        try:
            yield (
                {f"EVENT_BUS_KAFKA_{name.upper()}": address for name, address in addresses.items()},
                lambda: process.send_signal(signal.SIGSTOP),
            )
        finally:
            process.kill()


def send(bus: Bus, topic: str, *certificates: CertificateData, **metadata: Any) -> None:
    """Send certificates, keyed by user, from this process."""
    with override_settings(**bus.settings(topic)):
        producer = create_producer()
        for one in certificates:
            producer.send(
                signal=CERTIFICATE_CREATED,
                topic=topic,
                event_key_field="certificate.user.id",
                event_data={"certificate": one},
                event_metadata=EventsMetadata(event_type=CREATED, **metadata),
            )
        producer.prepare_for_shutdown()


def worker(bus: Bus, topic: str, group: str, receivers: str, **changes: Any) -> ServiceProcess:
    settings = bus.settings(**({"EVENT_BUS_KAFKA_RETRY": {"first_delay": 0.1, "factor": 1}} | changes))
    arguments = ("consume_events", "-t", topic, "-g", group)
    return ServiceProcess(*arguments, settings=settings, receivers=receivers)


@pytest.mark.parametrize("apps", [OURS_FIRST, OURS_LAST, NOT_INSTALLED], ids=["first", "last", "not installed"])
def test_events_arrive_and_the_worker_stops_cleanly(bus: Bus, topic: str, group: str, apps: dict[str, Any]) -> None:
    send(bus, topic, *map(certificate, (1, 2, 3)))
    with worker(bus, topic, group, "note", **apps) as process:
        process.wait_for_users("note", [1, 2, 3])
        assert process.stop() == 0
    assert bus.committed(group, topic) == 3
    assert "ERROR" not in process.log


def test_values_and_metadata_arrive_as_sent(bus: Bus, topic: str, group: str) -> None:
    metadata = {
        "id": UUID("12345678-1234-5678-1234-567812345678"),
        "minorversion": 3,
        "source": "openedx/lms/web",
        "sourcehost": "lms-1",
        "time": datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
        "sourcelib": (9, 15, 0),
    }
    sent = certificate(0, grade="", mode="", name="")
    send(bus, topic, sent, **metadata)
    with worker(bus, topic, group, "whole") as process:
        process.wait_for(lambda: process.heard("whole"))
        process.stop()
    (got,) = process.heard("whole")
    assert got["data"] == repr(sent)
    assert got["metadata"] == repr(EventsMetadata(event_type=CREATED, **metadata))
    assert (got["from_event_bus"], got["sender"]) == (True, None)


def test_a_new_group_begins_with_the_first_event_and_a_second_worker_goes_on(bus: Bus, topic: str, group: str) -> None:
    send(bus, topic, certificate(1), certificate(2))
    with worker(bus, topic, group, "note") as process:
        process.wait_for_users("note", [1, 2])
        assert process.stop() == 0
    send(bus, topic, certificate(3))
    with worker(bus, topic, group, "note") as process:
        process.wait_for_users("note", [3])
        assert process.stop() == 0


def test_only_the_receiver_that_failed_runs_again(bus: Bus, topic: str, group: str) -> None:
    send(bus, topic, certificate(1), certificate(2))
    with worker(bus, topic, group, "fail_twice,note") as process:
        process.wait_for(lambda: len(process.heard("fail_twice")) >= 6)
        assert process.stop() == 0
    assert sorted(process.users("note")) == [1, 2]
    assert len(process.heard("fail_twice")) == 6
    assert bus.committed(group, topic) == 2
    assert "learner@example.com" not in process.log


def test_a_failing_key_waits_alone_and_nothing_is_committed_past_it(bus: Bus, topic: str, group: str) -> None:
    """Case 12, until dead letters take it away: whatever its attempts, it waits."""
    send(bus, topic, *map(certificate, (2, 1, 1, 4, 6)))
    retry = {"attempts": 2, "first_delay": 0.05, "factor": 1}
    with worker(bus, topic, group, "fail_for_odd", EVENT_BUS_KAFKA_RETRY=retry) as process:
        process.wait_for(lambda: process.users("fail_for_odd").count(1) >= 5)
        users = process.users("fail_for_odd")
        assert [user for user in users if user != 1] == [2, 4, 6]
        assert process.stop() == 0
    assert bus.committed(group, topic) == 1
    with worker(bus, topic, group, "note") as process:
        process.wait_for_users("note", [1, 1, 4, 6])


def test_a_stop_during_a_receiver_lets_it_finish(bus: Bus, topic: str, group: str) -> None:
    """Case 1."""
    send(bus, topic, certificate(1))
    with worker(bus, topic, group, "slow") as process:
        process.wait_for(lambda: process.heard("slow begins"))
        assert process.stop() == 0
    assert process.users("slow ends") == [1]
    assert bus.committed(group, topic) == 1


def test_a_receiver_that_hangs_is_left_behind_after_the_time_limit(bus: Bus, topic: str, group: str) -> None:
    send(bus, topic, certificate(1))
    with worker(bus, topic, group, "hang", EVENT_BUS_KAFKA_STOP_TIMEOUT=1) as process:
        process.wait_for(lambda: process.heard("hang"))
        assert process.stop() == 2
    assert f"record {topic}:0:0" in process.log
    assert bus.committed(group, topic) < 0


def test_a_second_signal_forces_the_end(bus: Bus, topic: str, group: str) -> None:
    """Case 6."""
    send(bus, topic, certificate(1))
    with worker(bus, topic, group, "hang", EVENT_BUS_KAFKA_STOP_TIMEOUT=60) as process:
        process.wait_for(lambda: process.heard("hang"))
        process.send(signal.SIGINT)
        process.wait_for_log("Stopping")
        process.send(signal.SIGINT)
        assert process.end() == 2


@pytest.mark.parametrize("apps", [OURS_FIRST, OURS_LAST], ids=["first", "last"])
def test_a_receiver_that_exits_stops_the_worker_and_its_event_comes_again(
    bus: Bus, topic: str, group: str, apps: dict[str, Any]
) -> None:
    send(bus, topic, certificate(1))
    with worker(bus, topic, group, "leave", **apps) as process:
        assert process.end() == 3
    with worker(bus, topic, group, "note", **apps) as process:
        process.wait_for_users("note", [1])


def test_too_many_errors_in_a_row_stop_the_worker_without_a_commit(bus: Bus, topic: str, group: str) -> None:
    send(bus, topic, certificate(1))
    with worker(bus, topic, group, "fail", EVENT_BUS_KAFKA_CONSUMER_CONSECUTIVE_ERRORS_LIMIT=3) as process:
        assert process.end() == 4
    assert len(process.heard("fail")) >= 3
    assert bus.committed(group, topic) < 0


def test_a_worker_killed_between_effect_and_commit_gets_the_event_again(bus: Bus, topic: str, group: str) -> None:
    """Case 3."""
    send(bus, topic, certificate(1))
    with worker(bus, topic, group, "slow", EVENT_BUS_KAFKA_COMMIT_INTERVAL=3600) as process:
        process.wait_for(lambda: process.heard("slow ends"))
        process.send(signal.SIGKILL)
        process.end()
    with worker(bus, topic, group, "note") as process:
        process.wait_for_users("note", [1])


def test_a_small_window_holds_back_and_loses_nothing(bus: Bus, topic: str, group: str) -> None:
    users = list(range(300))
    send(bus, topic, *map(certificate, users))
    with worker(bus, topic, group, "note", EVENT_BUS_KAFKA_CONSUMER_WINDOW_RECORDS=3) as process:
        process.wait_for_users("note", users)
        assert process.stop() == 0
    assert bus.committed(group, topic) == 300


HEADERS = {"ce_type": CREATED.encode(), "ce_id": b"12345678-1234-5678-1234-567812345678"}


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        (None, HEADERS),
        (b"\x00\x00\x00\x00\x01x", HEADERS | {"ce_type": b"org.example.unknown.v1"}),
        (b"\x00\x00\x00\x00\x01x", HEADERS | {"ce_type": b"org.openedx.learning.student.registration.completed.v1"}),
    ],
    ids=["tombstone", "unregistered type", "no receiver"],
)
def test_what_nobody_listens_to_is_passed_over(
    bus: Bus, topic: str, group: str, value: bytes | None, headers: dict[str, bytes]
) -> None:
    bus.produce(topic, value=value, headers=headers)
    send(bus, topic, certificate(1))
    with worker(bus, topic, group, "note") as process:
        process.wait_for_users("note", [1])
        assert process.stop() == 0
    assert bus.committed(group, topic) == 2


@pytest.mark.parametrize(
    ("value", "headers", "reason"),
    [
        (b"\x01\x00\x00\x00\x01x", HEADERS, "starts with byte 1"),
        (b"\x00", HEADERS, "too few for a schema id"),
        (b"", HEADERS, "too few for a schema id"),
        (b"\x00\x00\x00\x00\x01x", {}, "ce_type is missing"),
        (b"\x00\x00\x0f\xff\xffx", HEADERS, "HTTP 404"),
    ],
    ids=["magic byte", "short", "empty", "no headers", "unknown schema id"],
)
def test_what_cannot_be_read_waits_and_is_never_skipped(
    bus: Bus, topic: str, group: str, value: bytes, headers: dict[str, bytes], reason: str
) -> None:
    bus.produce(topic, value=value, headers=headers)
    send(bus, topic, certificate(1))
    with worker(bus, topic, group, "note") as process:
        process.wait_for_users("note", [1])
        process.wait_for_log(reason)
        assert process.stop() == 0
    assert bus.committed(group, topic) < 0


# Wrong configuration


@pytest.mark.parametrize("apps", [OURS_FIRST, OURS_LAST], ids=["first", "last"])
@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": None}, "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS is not set"),
        ({"EVENT_BUS_CONSUMER": "event_bus_kafka.KafkaEventConsumr"}, "event_bus_kafka.KafkaEventConsumer"),
        ({"EVENT_BUS_KAFKA_COMMIT_INTERVAL": "often"}, "EVENT_BUS_KAFKA_COMMIT_INTERVAL must be a number"),
        ({"EVENT_BUS_KAFKA_CONSUMER_OPTIONS": {"no.such.option": 1}}, "no.such.option"),
        ({"EVENT_BUS_TOPIC_PREFIX": "^["}, "The topic name is refused"),
    ],
)
def test_a_wrong_setting_ends_the_worker_with_exit_code_1(
    sandbox: Any, apps: dict[str, Any], changes: dict[str, Any], text: str
) -> None:
    settings = {
        "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": sandbox.bootstrap_servers,
        "EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": sandbox.schema_registry_url,
    }
    with ServiceProcess("consume_events", "-t", "t", "-g", "g", settings=settings | apps | changes) as process:
        assert process.end() == 1
    assert text in process.log


def test_an_uninstalled_app_with_wrong_settings_still_ends_with_exit_code_1() -> None:
    with ServiceProcess("consume_events", "-t", "t", "-g", "g", settings=NOT_INSTALLED) as process:
        assert process.end() == 1
    assert "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS is not set" in process.log


def test_disabled_consumers_end_at_once_with_exit_code_0() -> None:
    settings = {"EVENT_BUS_KAFKA_CONSUMERS_ENABLED": False}
    with ServiceProcess("consume_events", "-t", "t", "-g", "g", settings=settings) as process:
        assert process.end() == 0
    assert "Kafka consumers not enabled" in process.log


def test_options_of_other_event_buses_are_accepted_with_a_warning(bus: Bus, topic: str, group: str) -> None:
    send(bus, topic, certificate(1))
    arguments = ("consume_events", "-t", topic, "-g", group, "--extra", '{"consumer_name": "x"}')
    with ServiceProcess(*arguments, settings=bus.settings(), receivers="note") as process:
        process.wait_for_users("note", [1])
        assert process.stop() == 0
    assert "ignores the options consumer_name" in process.log


@pytest.mark.parametrize("extra", ["{", "[]"])
def test_malformed_options_are_refused(extra: str) -> None:
    arguments = ("consume_events", "-t", "t", "-g", "g", "--extra", extra)
    with ServiceProcess(*arguments, settings=OURS_FIRST | {"EVENT_BUS_KAFKA_CONSUMERS_ENABLED": False}) as process:
        assert process.end() == 2
    assert "--extra" in process.log


# Servers that are away


def test_a_registry_that_comes_back_is_waited_for(bus: Bus, topic: str, group: str, tmp_path: Path) -> None:
    from event_bus_kafka.sandbox import SchemaRegistryServer

    registry = SchemaRegistryServer()
    registry.start()
    url = {"EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": registry.url}
    with override_settings(**bus.settings(topic, **url)):
        producer = create_producer()
        CERTIFICATE_CREATED.send_event(certificate=certificate(1))
        producer.send(
            signal=CERTIFICATE_CREATED,
            topic=topic,
            event_key_field="certificate.user.id",
            event_data={"certificate": certificate(1)},
            event_metadata=EventsMetadata(event_type=CREATED),
        )
        producer.prepare_for_shutdown()
    registry.stop()
    with worker(bus, topic, group, "note", **url) as process:
        process.wait_for_log("Schema registry: SchemaRegistryError")
        assert process.users("note") == []
        registry.start()
        process.wait_for_users("note", [1])
        assert process.stop() == 0
    registry.stop()


def test_a_broker_that_is_away_is_waited_for(group: str) -> None:
    settings = {
        "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9",
        "EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": "http://127.0.0.1:9",
    }
    with ServiceProcess("consume_events", "-t", "t", "-g", group, settings=settings) as process:
        process.wait_for_log("Kafka consumer: BrokerError: _ALL_BROKERS_DOWN")
        assert process.stop() == 0


def test_a_worker_whose_broker_has_fallen_silent_can_be_stopped(group: str) -> None:
    with frozen_when_told() as (addresses, freeze):
        settings = addresses | {"EVENT_BUS_KAFKA_COMMIT_INTERVAL": 3600}
        entry = {"event_key_field": "certificate.user.id", "enabled": True}
        config = {"EVENT_BUS_PRODUCER_CONFIG": {CREATED: {"t": entry}}}
        with ServiceProcess(code=SEND_ONE, settings=settings | config) as sender:
            assert sender.end() == 0
        with ServiceProcess("consume_events", "-t", "t", "-g", group, settings=settings, receivers="note") as process:
            process.wait_for_users("note", [1])
            freeze()
            process.stop()
    assert "offsets not committed: BrokerError: _TIMED_OUT" in process.log


def test_a_topic_that_does_not_exist_yet_is_waited_for(bus: Bus, group: str) -> None:
    """Case 23, its beginning."""
    topic = f"late-{group}"
    with worker(bus, topic, group, "note") as process:
        process.wait_for_log("Running consumer")
        bus.create_topic(topic)
        send(bus, topic, certificate(1))
        process.wait_for_users("note", [1])
        assert process.stop() == 0
