"""A worker can start reading at a given time. The metadata of its committed offsets stores this time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from io import StringIO
from time import monotonic
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from event_bus_kafka.assembly.consuming import ConsumerArguments
from event_bus_kafka.consuming.offset_metadata import OffsetMetadata
from event_bus_kafka.consuming.progress import PartitionProgress
from event_bus_kafka.consuming.starting_offsets import StartingOffsets, milliseconds
from event_bus_kafka.errors import BrokerError, ConfigurationError
from event_bus_kafka.kafka.offsets import Committed, Partition
from event_bus_kafka.sandbox import Sandbox
from event_bus_kafka.wire.records import ConsumerRecord
from tests.projects.process import ServiceProcess


def taken(progress: PartitionProgress, *offsets: int) -> list[Any]:
    return [
        progress.take(
            ConsumerRecord(topic="t", partition=0, offset=offset, timestamp=None, key=b"", value=b"", headers=())
        )
        for offset in offsets
    ]


def test_equal_times_in_different_notations_give_equal_milliseconds() -> None:
    expected = 1_769_846_400_123
    for text in ("2026-01-31T08:00:00.123Z", "2026-01-31T09:00:00.123+01:00", "2026-01-31 08:00:00.123456+00:00"):
        assert milliseconds(text) == expected
    for text in ("2026-01-31 08:00:00 UTC", "2026-01-31 05:00:00 UTC-03", "2026-01-31 13:30:00 UTC+0530"):
        assert milliseconds(text) == expected - 123, "pages write times like this"


@pytest.mark.parametrize("value", ["2026-01-31T08:00:00", "2026-01-31", "yesterday", "1900-01-01T00:00Z", 5, True])
def test_an_invalid_offset_time_raises_a_configuration_error(value: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"^offset_time: {value!r} "):
        ConsumerArguments(topic="t", group="g", offset_time=value).milliseconds()


def test_a_worker_with_an_invalid_offset_time_does_not_start(sandbox: Sandbox) -> None:
    settings = {
        "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": sandbox.bootstrap_servers,
        "EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": sandbox.schema_registry_url,
    }
    extra = '{"offset_time": "yesterday"}'
    with ServiceProcess("consume_events", "-t", "t", "-g", "g", "--extra", extra, settings=settings) as process:
        assert process.end() == 1
    assert "offset_time: 'yesterday' " in process.log


def test_a_worker_with_an_offset_time_ends_if_brokers_cannot_look_up_offsets_by_time(sandbox: Sandbox) -> None:
    settings = {
        "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": sandbox.bootstrap_servers,
        "EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": sandbox.schema_registry_url,
    }
    sandbox.create_topic("timeless", 1)
    extra = '{"offset_time": "2026-01-31T08:00:00Z"}'
    with ServiceProcess("consume_events", "-t", "timeless", "-g", "g", "--extra", extra, settings=settings) as process:
        assert process.end() == 1
    assert "The sandbox's brokers cannot find offsets by time: use a real Kafka" in process.log


@pytest.mark.parametrize(
    "arguments",
    [
        ["show"],
        ["show", "-g", "g", "-t", "topic:one"],
        ["reset", "-g", "g", "--to-latest"],
        ["reset", "-g", "g", "-t", "topic"],
        ["reset", "-g", "g", "-t", "topic", "--to-latest", "--to-earliest"],
        ["reset", "-g", "g", "-t", "topic", "--to-offset", "-1"],
        ["reset", "-g", "g", "-t", "topic", "--to-time", "2026-01-31T08:00:00"],
    ],
)
def test_the_event_offsets_command_refuses_invalid_or_missing_arguments(arguments: list[str]) -> None:
    with pytest.raises(CommandError, match=r"argument|required"):
        call_command("event_offsets", *arguments)


def test_the_event_offsets_command_shows_a_group_of_the_sandbox_only_if_topics_are_given(sandbox: Sandbox) -> None:
    settings = {
        "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": sandbox.bootstrap_servers,
        "EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": sandbox.schema_registry_url,
    }
    sandbox.create_topic("shown", 1)
    output = StringIO()
    with override_settings(**settings):
        with pytest.raises(CommandError, match="do not list the topics of a group: name the topics"):
            call_command("event_offsets", "show", "-g", "g")
        call_command("event_offsets", "show", "-g", "g", "-t", "shown", stdout=output)
    assert "shown:0" in output.getvalue()
    assert "Members: these brokers do not list them" in output.getvalue()


@pytest.mark.parametrize("command", ["event_offsets show -g g", "event_outbox status", "event_dead_letters list"])
def test_options_of_django_are_accepted_after_a_subcommand(command: str) -> None:
    options = "--settings=test_settings --traceback -v 2 --skip-checks --no-color"
    unset = {"DJANGO_SETTINGS_MODULE": ""}
    with ServiceProcess(*command.split(), *options.split(), settings={}, environment=unset) as process:
        assert process.end() == 1, "2 is for arguments that are not understood"
    assert "CommandError" in process.log, "it has found nothing to ask"


def test_offset_metadata_is_read_as_it_was_written_but_without_marks_before_the_position() -> None:
    marks = OffsetMetadata(frozenset({3, 5}), 1_769_846_400_123)
    assert OffsetMetadata.read(marks.at(0)) == marks
    assert OffsetMetadata.read(marks.at(4)) == OffsetMetadata(frozenset({5}), 1_769_846_400_123)
    assert OffsetMetadata().at(0) == ""


@pytest.mark.parametrize("text", ["", "x", "[]", "7", '{"taken":7}', '{"taken":[1e999]}', "[" * 100_000])
def test_malformed_offset_metadata_is_ignored(text: str) -> None:
    assert OffsetMetadata.read(f"event-bus-kafka {text}") == OffsetMetadata()


@pytest.mark.parametrize("metadata", [None, '{"taken":[5],"offset_time":7}', ' event-bus-kafka {"taken":[5]}'])
def test_offset_metadata_of_other_clients_is_ignored(metadata: str | None) -> None:
    """If a worker took the metadata of other clients for metadata of this package, it would skip records."""
    assert OffsetMetadata.read(metadata) == OffsetMetadata()
    assert OffsetMetadata.read('event-bus-kafka {"taken":[5]}').taken == {5}


def test_offset_metadata_that_exceeds_the_limit_of_kafka_is_detected() -> None:
    assert OffsetMetadata(frozenset(range(10**6, 10**6 + 500))).fit
    assert not OffsetMetadata(frozenset(range(10**6, 10**6 + 520))).fit


def test_finishing_old_records_does_not_move_the_position_after_a_topic_was_recreated() -> None:
    progress = PartitionProgress("t", 0, OffsetMetadata(frozenset({9}), 7), next_offset=5, committed=5)
    old = taken(progress, 5, 6)
    progress.go_on_from(0)
    assert (progress.position, progress.metadata) == (0, OffsetMetadata(offset_time=7))
    new = taken(progress, 0, 1)
    old[0].finish()
    old[1].finish()
    progress.advance()
    assert (progress.position, progress.held) == (0, 2)
    new[0].finish()
    progress.advance()
    assert progress.position == 1


def test_the_position_stays_at_an_unfinished_record_if_later_records_were_deleted() -> None:
    progress = PartitionProgress("t", 0, OffsetMetadata(frozenset({9}), None), next_offset=5, committed=5)
    (delivery,) = taken(progress, 5)
    progress.go_on_from(8)
    assert (progress.position, progress.metadata) == (5, OffsetMetadata(frozenset({9})))
    delivery.finish()
    progress.advance()
    assert progress.position == 6
    progress.go_on_from(9)
    assert progress.position == 9


class Group:
    """A client of one partition that has not started yet. The first record at or after the given time has offset 7."""

    beginning = -2

    def __init__(self, committed: int | None) -> None:
        self.positions = self
        self.waiting: dict[Partition, int | None] = {("t", 0): None}
        self.started: dict[Partition, int] = {}
        self.kept = {} if committed is None else {("t", 0): Committed(committed)}

    def committed_each(
        self, partitions: Iterable[Partition], *, timeout: float
    ) -> tuple[dict[Partition, Committed], dict[Partition, BrokerError]]:
        return dict(self.kept), {}

    def initial_offset(self, _partition: Partition, *, timeout: float) -> int:
        return self.beginning

    def offsets_at(self, partitions: Iterable[Partition], time: int, *, timeout: float) -> dict[Partition, int]:
        return dict.fromkeys(partitions, 7)

    def start(self, offsets: Mapping[Partition, int], reading: Mapping[Partition, int]) -> None:
        self.started |= offsets

    def commit(self, offsets: Mapping[Partition, Committed]) -> None:
        self.kept |= offsets


@pytest.mark.parametrize(
    ("committed", "time", "begins"),
    [(None, None, Group.beginning), (None, 5, 7), (3, None, 3), (3, 5, 7), (9, 5, 7)],
)
def test_a_partition_starts_at_the_given_time_or_else_the_committed_offset_or_else_the_beginning(
    committed: int | None, time: int | None, begins: int
) -> None:
    client: Any = Group(committed)
    partitions: dict[Partition, PartitionProgress] = {}
    StartingOffsets("g", time, monotonic).start(client, partitions)
    assert client.started == {("t", 0): begins}
    assert partitions["t", 0].next_offset == begins
    kept = None if begins < 0 else begins
    assert (partitions["t", 0].position, partitions["t", 0].uncommitted) == (kept, None)
    assert [one.offset for one in client.kept.values()] == ([] if kept is None else [kept])
