"""A worker in a separate process handles events, and ends with the documented exit codes."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from openedx_events.data import EventsMetadata

from tests.projects.process import ServiceProcess
from tests.services.bus import CREATED, Bus
from tests.support.examples_of import certificate
from tests.support.sending import send
from tests.support.workers import OURS_FIRST, OURS_LAST, worker

NOT_INSTALLED = {"INSTALLED_APPS": ["tests.projects.certificates", "openedx_events"]}


@pytest.mark.parametrize(
    "apps", [OURS_FIRST, OURS_LAST, NOT_INSTALLED], ids=["app first", "app last", "app not installed"]
)
def test_a_receiver_gets_events_and_the_worker_stops_with_exit_code_0(
    bus: Bus, topic: str, group: str, apps: dict[str, Any]
) -> None:
    send(bus, topic, *map(certificate, (1, 2, 3)))
    with worker(bus, topic, group, "note", **apps) as process:
        process.wait_for_users("note", [1, 2, 3])
        assert process.stop() == 0
    assert bus.committed(group, topic) == 3
    assert process.log.count("Message received from Kafka: ") == 3, (
        "the worker logs each event before its receivers run"
    )
    assert "ERROR" not in process.log
    assert "ResourceWarning" not in process.log


def test_log_lines_that_name_several_events_omit_no_event(bus: Bus, topic: str, group: str) -> None:
    send(bus, topic, *map(certificate, range(400)))
    with worker(bus, topic, group, "note", EVENT_BUS_KAFKA_CONSUMER_WINDOW_RECORDS=100) as process:
        process.wait_for(lambda: len(process.users("note")) == 400)
        assert process.stop() == 0
    ids = set(bus.event_ids(topic, 400))
    for beginning in ("Message received from Kafka: ", "Message from Kafka processed successfully: "):
        lines = [line for line in process.lines if beginning in line]
        assert len(lines) < 300
        if "received" in beginning:
            told = [re.search(r"message_ids?=([^ ]+)", line) for line in lines]
            assert {one for found in told if found for one in found[1].rstrip(",").split(",")} == ids


def test_case_22_values_and_metadata_arrive_unchanged(bus: Bus, topic: str, group: str) -> None:
    metadata: dict[str, Any] = {
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


def test_a_new_group_starts_at_the_first_event_and_its_next_worker_continues_at_the_committed_offset(
    bus: Bus, topic: str, group: str
) -> None:
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


def test_a_worker_stops_without_a_commit_after_too_many_consecutive_errors(bus: Bus, topic: str, group: str) -> None:
    send(bus, topic, certificate(1))
    with worker(bus, topic, group, "fail", EVENT_BUS_KAFKA_CONSUMER_CONSECUTIVE_ERRORS_LIMIT=3) as process:
        assert process.end() == 4
    assert len(process.heard("fail")) == 3
    assert bus.committed(group, topic) < 0


def test_all_events_are_processed_with_a_window_of_three_records(bus: Bus, topic: str, group: str) -> None:
    users = list(range(300))
    send(bus, topic, *map(certificate, users))
    with worker(bus, topic, group, "note", EVENT_BUS_KAFKA_CONSUMER_WINDOW_RECORDS=3) as process:
        process.wait_for_users("note", users)
        assert process.stop() == 0
    assert bus.committed(group, topic) == 300


# Wrong configuration


@pytest.mark.parametrize("apps", [OURS_FIRST, OURS_LAST], ids=["app first", "app last"])
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
def test_an_invalid_setting_ends_the_worker_with_exit_code_1(
    sandbox: Any, apps: dict[str, Any], changes: dict[str, Any], text: str
) -> None:
    settings = {
        "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": sandbox.bootstrap_servers,
        "EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": sandbox.schema_registry_url,
    }
    with ServiceProcess("consume_events", "-t", "t", "-g", "g", settings=settings | apps | changes) as process:
        assert process.end() == 1
    assert text in process.log


def test_a_worker_exits_with_1_for_a_missing_setting_even_if_the_app_is_not_installed() -> None:
    with ServiceProcess("consume_events", "-t", "t", "-g", "g", settings=NOT_INSTALLED) as process:
        assert process.end() == 1
    assert "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS is not set" in process.log


def test_a_worker_with_disabled_consumers_exits_with_0() -> None:
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
def test_a_worker_with_malformed_extra_options_exits_with_2(extra: str) -> None:
    arguments = ("consume_events", "-t", "t", "-g", "g", "--extra", extra)
    with ServiceProcess(*arguments, settings=OURS_FIRST | {"EVENT_BUS_KAFKA_CONSUMERS_ENABLED": False}) as process:
        assert process.end() == 2
    assert "--extra" in process.log


@pytest.mark.parametrize(
    ("extra", "argument"), [('{"topic": "x"}', "-t for topic"), ('{"concurrency": 2}', "--concurrency for concurrency")]
)
def test_the_command_consume_events_refuses_extra_options_that_repeat_an_argument(extra: str, argument: str) -> None:
    arguments = ("consume_events", "-t", "t", "-g", "g", "--concurrency", "1", "--extra", extra)
    with ServiceProcess(*arguments, settings=OURS_FIRST | {"EVENT_BUS_KAFKA_CONSUMERS_ENABLED": False}) as process:
        assert process.end() == 1
    assert f"use {argument} instead" in process.log
    assert "Traceback" not in process.log
