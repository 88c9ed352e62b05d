"""
This package and edx-event-bus-kafka send and read old and new versions of events on one topic of a real Kafka.

:mod:`tests.interop.changes` contains the expected results. The guide "Changing an event" is generated from that module.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import attrs
import pytest
from confluent_kafka import Consumer, Message, TopicPartition
from django.test import override_settings
from openedx_events.data import EventsMetadata
from openedx_events.event_bus import EventBusProducer
from openedx_events.event_bus.avro.serializer import AvroSignalSerializer
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka import errors
from event_bus_kafka.kafka.messages import to_record
from event_bus_kafka.kafka.schema_registry import SchemaRegistry
from event_bus_kafka.wire import serde
from event_bus_kafka.wire.codec import codec_for
from tests.interop.changes import CHANGES, NOTHING, OPTIONAL_ADDED
from tests.interop.event_versions import (
    Change,
    Delivered,
    Lost,
    Outcome,
    Reading,
    Unreadable,
    filled,
    version,
)
from tests.interop.existing import ExistingReader, existing_producer, existing_reader
from tests.services.bus import RealBus
from tests.support.sending import own_producer

pytestmark = pytest.mark.real

TOPIC = "evolution"
PARTITIONS = 4
PRODUCERS = ("ours", "existing")
AT_ONCE: dict[str, Any] = {
    "EVENT_BUS_PRODUCER_MODE": "immediate",
    "EVENT_BUS_KAFKA_REGISTRY_TIMEOUT": 30,
    "EVENT_BUS_KAFKA_SEND_TIMEOUT": 60,
}
"""Settings with which an event is sent immediately, even if a busy registry answers slowly."""


@attrs.frozen(kw_only=True, eq=False)
class Crossing:
    """
    One event. A service with one version of the event's class sends it, and a service with the other version reads it.
    """

    change: Change
    reading: Reading
    writer: OpenEdxPublicSignal
    reader: OpenEdxPublicSignal
    id: str

    def sent_by(self, name: str, producer: EventBusProducer) -> None:
        send(producer, self.writer, self.reading.written, f"{name} {self.id}")

    def read_as(self, outcome: Outcome) -> Any:
        assert isinstance(outcome, Delivered)
        return filled(self.reader.init_data, outcome.values)


def crossings() -> Iterator[Crossing]:
    for number, change in enumerate(CHANGES):
        old, new = (version(f"test.change{number}.v1", arguments) for arguments in (change.old, change.new))
        for writer, reader, readings in ((old, new, change.new_reads_old), (new, old, change.old_reads_new)):
            direction = "new reads old" if reader is new else "old reads new"
            for index, reading in enumerate(readings):
                name = f"{change.title}: {direction} {index}"
                yield Crossing(change=change, reading=reading, writer=writer, reader=reader, id=name)


def send(producer: EventBusProducer, signal: OpenEdxPublicSignal, values: dict[str, Any], source: str) -> None:
    """Send event data. The test later finds the record by its ``source``."""
    producer.send(
        signal=signal,
        topic=TOPIC,
        event_key_field="course.id",
        event_data=filled(signal.init_data, values),
        event_metadata=EventsMetadata(event_type=signal.event_type, id=UUID(int=1), source=source),
    )


ALL = list(crossings())
SHARED = [one for one in ALL if one.change.existing_can]
MIXED = [version("test.mixed.v1", arguments) for arguments in (OPTIONAL_ADDED.old, OPTIONAL_ADDED.new)]
"""Two versions of an event. For a while, producers of both versions write to the topic with the same keys."""
KEYS = range(1, 7)
ROUNDS = range(4)


@attrs.frozen(kw_only=True, eq=False)
class Exchange:
    records: list[Message]
    """The records of all partitions. Records of the same partition are in the order of their offsets."""
    registry: SchemaRegistry
    existing: ExistingReader

    def record(self, source: str) -> Message:
        (found,) = (one for one in self.records if source_of(one) == source)
        return found

    def mixed(self) -> list[Message]:
        return [one for one in self.records if source_of(one) == "mixed"]


def source_of(message: Message) -> str:
    source = dict(message.headers() or [])["ce_source"]
    assert isinstance(source, bytes)
    return source.decode()


@pytest.fixture(scope="module")
def bus(request: pytest.FixtureRequest) -> RealBus:
    """Return a real Kafka and a real registry, because the expected results describe real servers."""
    return RealBus(request.getfixturevalue("cluster"), request.getfixturevalue("schema_registry"))


@pytest.fixture(scope="module")
def exchange(bus: RealBus) -> Iterator[Exchange]:
    """Send the events with each package that can send them; return the records."""
    bus.create_topic(TOPIC, PARTITIONS)
    registry = SchemaRegistry({"url": bus.schema_registry_url}, timeout=30, register=False)
    with override_settings(**bus.settings(**AT_ONCE)):
        with existing_producer() as theirs, own_producer() as ours:
            count = send_all(ours, theirs)
        with existing_reader() as existing:
            yield Exchange(records=read_all(bus, count), registry=registry, existing=existing)
    registry.close()


def send_all(ours: EventBusProducer, theirs: EventBusProducer) -> int:
    """Send all events; return their number."""
    for one in ALL:
        one.sent_by("ours", ours)
    for one in SHARED:
        one.sent_by("existing", theirs)
    for number in ROUNDS:
        for producer in (ours, theirs):
            for signal in MIXED:
                for key in KEYS:
                    note = {"note": f"{number}"} if signal is MIXED[1] else {}
                    send(producer, signal, {"course": {"id": key, **note}}, "mixed")
            producer.prepare_for_shutdown()  # confirmed before the other producer starts
    return len(ALL) + len(SHARED) + len(ROUNDS) * 2 * len(MIXED) * len(KEYS)


def read_all(bus: RealBus, count: int) -> list[Message]:
    consumer = Consumer({"bootstrap.servers": bus.bootstrap_servers, "group.id": "evolution-reader", "log_level": 0})
    consumer.assign([TopicPartition(TOPIC, number, 0) for number in range(PARTITIONS)])
    found: list[Message] = []
    while len(found) < count:
        messages = consumer.consume(1000, 30)
        assert messages, f"{len(found)} records of {count}"
        found += messages
    consumer.close()
    return found


# Every change, both directions, both packages on either side


@pytest.mark.parametrize("producer", PRODUCERS)
@pytest.mark.parametrize("one", ALL, ids=lambda one: one.id)
def test_case_21_this_package_reads_events_with_another_schema_or_names_the_incompatible_field(
    exchange: Exchange, one: Crossing, producer: str
) -> None:
    if producer == "existing" and not one.change.existing_can:
        with pytest.raises(TypeError):
            AvroSignalSerializer(one.writer)
        return
    message, outcome = to_record(exchange.record(f"{producer} {one.id}")), one.reading.here
    if isinstance(outcome, Unreadable):
        with pytest.raises(getattr(errors, outcome.error)) as caught:
            serde.deserialize(message, one.reader, exchange.registry)
        assert caught.value.field == outcome.field
        return
    data = serde.deserialize(message, one.reader, exchange.registry).data
    assert data == one.read_as(outcome)
    assert repr(data) == repr(one.read_as(outcome))  # compares types as well: 3 equals 3.0


@pytest.mark.parametrize("producer", PRODUCERS)
@pytest.mark.parametrize("one", SHARED, ids=lambda one: one.id)
def test_case_21_edx_event_bus_kafka_reads_events_with_another_schema_as_documented(
    exchange: Exchange, one: Crossing, producer: str
) -> None:
    message, outcome = exchange.record(f"{producer} {one.id}"), one.reading.existing
    if isinstance(outcome, Lost):
        with pytest.raises(Exception) as caught:  # noqa: PT011 whatever it is, it ends in the log
            exchange.existing.data(message, one.reader)
        assert type(caught.value).__name__ == outcome.error
        return
    data = exchange.existing.data(message, one.reader)
    assert data == one.read_as(outcome)
    assert repr(data) == repr(one.read_as(outcome))


@pytest.mark.parametrize("producer", PRODUCERS)
def test_case_22_falsy_values_arrive_unchanged(exchange: Exchange, producer: str) -> None:
    (one,) = (one for one in ALL if one.change is NOTHING and one.reading in NOTHING.new_reads_old)
    course = serde.deserialize(to_record(exchange.record(f"{producer} {one.id}")), one.reader, exchange.registry).data[
        "course"
    ]
    values = attrs.asdict(course)
    assert values.pop("id") == 1
    assert list(map(repr, values.values())) == ["False", "0", "0.0", "''", "''", "[]"]


# Both versions on one topic for a while


@pytest.mark.parametrize("reader", MIXED, ids=["old reader", "new reader"])
@pytest.mark.parametrize("package", PRODUCERS)
def test_services_with_the_old_or_the_new_schema_read_all_events_in_order(
    exchange: Exchange, reader: OpenEdxPublicSignal, package: str
) -> None:
    notes: dict[int, list[str | None]] = {key: [] for key in KEYS}
    for message in exchange.mixed():
        course = (
            serde.deserialize(to_record(message), reader, exchange.registry).data["course"]
            if package == "ours"
            else exchange.existing.data(message, reader)["course"]
        )
        notes[course.id].append(getattr(course, "note", None))
    expected = [note for number in ROUNDS for note in (None, f"{number}") * 2] if reader is MIXED[1] else [None] * 16
    assert notes == dict.fromkeys(KEYS, expected)


def test_a_key_stays_on_one_partition_although_its_events_have_different_schema_ids(exchange: Exchange) -> None:
    ids: dict[bytes, list[int]] = {}
    partitions: dict[bytes, set[int | None]] = {}
    for message in exchange.mixed():
        key, value = message.key(), message.value()
        assert isinstance(key, bytes)
        assert isinstance(value, bytes)
        ids.setdefault(key, []).append(struct.unpack_from(">bI", value)[1])
        partitions.setdefault(key, set()).add(message.partition())
    assert len(ids) == len(KEYS)
    assert all(len(found) == 1 for found in partitions.values())
    assert len(set.union(*partitions.values())) > 1
    old, new = (exchange.registry.id_of(f"{TOPIC}-test.mixed.v1.CloudEvent", codec_for(one).schema) for one in MIXED)
    assert old != new
    assert list(ids.values()) == [[old, new] * 2 * len(ROUNDS)] * len(KEYS)
