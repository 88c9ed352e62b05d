"""
``event_offsets`` shows and resets the offsets of groups of real workers. These tests need a real Kafka: the sandbox
cannot list the members of a group, so the command would refuse to reset a group.
"""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime

import pytest
from confluent_kafka import Consumer, TopicPartition
from django.core.management import CommandError, call_command
from django.test import override_settings

from tests.real.test_quarantine import metadata
from tests.services.bus import RealBus
from tests.support.examples_of import certificate
from tests.support.sending import send
from tests.support.workers import worker

pytestmark = pytest.mark.real


def offsets(bus: RealBus, *arguments: str, **settings: str) -> str:
    """Run ``event_offsets``; return its output. If the command refuses, return the reason."""
    output = io.StringIO()
    with override_settings(**bus.settings(**settings)):
        try:
            call_command("event_offsets", *arguments, stdout=output, no_color=True)
        except CommandError as error:
            return f"refused with {error.returncode}: {error}"
    return output.getvalue()


def commit(bus: RealBus, group: str, topic: str, offset: int, marks: str) -> None:
    consumer = Consumer({"bootstrap.servers": bus.bootstrap_servers, "group.id": group})
    try:
        consumer.commit(offsets=[TopicPartition(topic, 0, offset, marks)], asynchronous=False)
    finally:
        consumer.close()


def test_the_offsets_and_the_lag_and_the_quarantined_records_of_a_group_can_be_printed(
    bus: RealBus, group: str
) -> None:
    topic = f"prod-shown-{group}"
    bus.create_topic(topic, 2)
    send(bus, topic, *map(certificate, (1, 1, 1)))
    number = 0 if bus.records(topic, 1, seconds=1) else 1
    commit(bus, group, topic, 9, 'event-bus-kafka {"taken":[11],"offset_time":1769846400123}')
    prefix = {"EVENT_BUS_TOPIC_PREFIX": "prod"}
    shown = json.loads(offsets(bus, "show", "-g", group, "--json", **prefix))
    assert (shown["group"], shown["members"]) == (group, [])
    first, second = shown["partitions"]
    assert (first["topic"], first["partition"], first["committed"]) == (topic, 0, 9)
    assert first["marks"] == {"taken": [11], "offset_time": "2026-01-31T08:00:00.123000+00:00"}
    assert (second["partition"], second["committed"], second["marks"]["taken"]) == (1, None, [])
    assert [one["lag"] for one in shown["partitions"]] == ([3, 0] if number == 0 else [0, 3])
    text = offsets(bus, "show", "-g", group, "-t", f"shown-{group}:0", **prefix)
    assert f"{topic}:0" in text
    assert "9 (not there)" in text
    assert "quarantined: 11; began at 2026-01-31T08:00:00.123000+00:00" in text
    assert f"{topic}:1" not in text
    assert "Members: none" in text


def test_a_group_is_reset_only_with_the_option_apply_and_continues_at_the_new_offset(
    bus: RealBus, topic: str, group: str
) -> None:
    for user in (1, 2, 3):
        send(bus, topic, certificate(user))
    time = datetime.fromtimestamp(bus.records(topic, 3)[1].timestamp()[1] / 1000, UTC).isoformat()
    commit(bus, group, topic, 3, 'event-bus-kafka {"taken":[0,2],"offset_time":7}')
    command = ("reset", "-g", group, "-t", f"{topic}:0", "--to-time", time)
    kept = "keeps quarantined: 2; began at 1970-01-01T00:00:00.007000+00:00"
    planned = offsets(bus, *command)
    assert f"{topic}:0  3 → 1: 2 come again; {kept}" in planned
    assert "Nothing was done" in planned
    assert bus.committed(group, topic) == 3
    told = json.loads(offsets(bus, *command, "--json"))
    (part,) = told["partitions"]
    assert (told["applied"], part["committed"], part["to"]) == (False, 3, 1)
    assert bus.committed(group, topic) == 3
    assert f"Group {group} is reset" in offsets(bus, *command, "--apply")
    assert (bus.committed(group, topic), metadata(bus, group, topic)) == (
        1,
        'event-bus-kafka {"taken":[2],"offset_time":7}',
    )
    with worker(bus, topic, group, "note") as process:
        process.wait_for_users("note", [2])
        assert process.stop() == 0
    assert "3 → 0: 3 come again" in offsets(bus, "reset", "-g", group, "-t", topic, "--to-earliest")
    offsets(bus, "reset", "-g", group, "-t", topic, "--to-offset", "0", "--apply")
    assert "0 → 3: 3 skipped" in offsets(bus, "reset", "-g", group, "-t", topic, "--to-latest")


def test_a_group_with_members_is_not_reset(bus: RealBus, topic: str, group: str) -> None:
    send(bus, topic, certificate(1))
    with worker(bus, topic, group, "note") as process:
        process.wait_for_users("note", [1])
        process.wait_for(lambda: bus.committed(group, topic) == 1)
        said = offsets(bus, "reset", "-g", group, "-t", topic, "--to-earliest", "--apply")
        assert f"Group {group} has live members: service on 127.0.0.1. Stop its workers first" in said
        assert "Members: service on 127.0.0.1" in offsets(bus, "show", "-g", group)
        assert process.stop() == 0
    assert bus.committed(group, topic) == 1


def test_unknown_groups_and_topics_and_partitions_are_reported(bus: RealBus, topic: str, group: str) -> None:
    reset = ("reset", "-g", group, "-t", topic, "--to-offset", "2", "--apply")
    nobody = f"There is no group {group}: it has no members and has committed nothing."
    assert f"refused with 1: {nobody}" == offsets(bus, *reset)
    assert f"refused with 1: {nobody}" == offsets(bus, "show", "-g", group)
    bus.commit(group, topic, 0)
    send(bus, topic, certificate(1))
    said = offsets(bus, *reset)
    assert f"Offset 2 does not exist. First offset and end of each partition: {topic}:0 0 to 1." in said
    assert "There is no topic missing, or" in offsets(bus, "show", "-g", group, "-t", "missing")
    assert "has no partition 7: it has 1" in offsets(bus, "show", "-g", group, "-t", f"{topic}:7")
    assert bus.committed(group, topic) == 0
