"""
This package and edx-event-bus-kafka send events with equal bytes, partitions, subjects and schema ids. Each package
reads the events of the other package.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from uuid import UUID

import attrs
import pytest
from confluent_kafka import Consumer, Message, TopicPartition
from django.test import override_settings
from openedx_events.data import EventsMetadata
from openedx_events.event_bus import EventBusProducer
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka.errors import ConfigurationError
from event_bus_kafka.kafka.messages import to_record
from event_bus_kafka.kafka.schema_registry import SchemaRegistry
from event_bus_kafka.wire import serde
from event_bus_kafka.wire.codec import codec_for
from event_bus_kafka.wire.types import Record, Scalar
from tests.interop.existing import existing_producer, existing_reader
from tests.services.bus import RealBus
from tests.support.examples_of import VARIANTS, data_of
from tests.support.openedx_avro import ENCODABLE
from tests.support.recording import recorded
from tests.support.sending import own_producer

pytestmark = pytest.mark.real

TOPIC = "interop"
PARTITIONS = 8
REFUSED_BY_REGISTRIES = "org.openedx.enterprise.subsidy.redemption-reversed.v1"
"""
An event type whose schema a real registry refuses with status 422, whichever package registers it. The reason is a
hyphen in the Avro namespace, which Avro forbids.
"""


@attrs.frozen(kw_only=True)
class Sent:
    """One event that each package sends with the same metadata."""

    signal: OpenEdxPublicSignal
    key_field: str
    data: dict[str, Any]
    metadata: EventsMetadata

    def by(self, producer: EventBusProducer) -> None:
        producer.send(
            signal=self.signal,
            topic=TOPIC,
            event_key_field=self.key_field,
            event_data=self.data,
            event_metadata=self.metadata,
        )


def key_fields(record: Record, path: str = "") -> Iterator[str]:
    """Yield the paths of all fields that can be keys."""
    for field in record.fields:
        if isinstance(field.type, Scalar):
            yield f"{path}{field.name}"
        elif isinstance(field.type, Record):
            yield from key_fields(field.type, f"{path}{field.name}.")


def one_key_field(signal: OpenEdxPublicSignal) -> str:
    """Return the first field that can be a key."""
    return next(key_fields(codec_for(signal).avro_type))


def events() -> list[Sent]:
    sendable = [signal for signal in ENCODABLE if signal.event_type != REFUSED_BY_REGISTRIES]
    numbers = iter(range(1, 10**6))
    return [
        Sent(
            signal=signal,
            key_field=one_key_field(signal),
            data=data_of(signal, values, absent=absent),
            metadata=EventsMetadata(
                event_type=signal.event_type,
                id=UUID(int=next(numbers)),
                minorversion=signal.minor_version,
                source="openedx/lms/wéb",
            ),
        )
        for signal in sendable
        for values, absent in VARIANTS.values()
    ]


@attrs.frozen(kw_only=True)
class Exchange:
    """The records of both packages, and the subjects in the registry after each package had sent all its events."""

    sent: list[Sent]
    theirs: dict[str, Message]
    ours: dict[str, Message]
    subjects_after_theirs: dict[str, list[int]]
    subjects_after_ours: dict[str, list[int]]
    settings: dict[str, Any]


@pytest.fixture(scope="module")
def exchange(request: pytest.FixtureRequest) -> Iterator[Exchange]:
    """Send all events with the existing package, then with this package, to the same topic; return the records."""
    bus = RealBus(request.getfixturevalue("cluster"), request.getfixturevalue("schema_registry"))
    bus.create_topic(TOPIC, PARTITIONS)
    settings = bus.settings() | {"EVENT_BUS_PRODUCER_MODE": "immediate"}
    sent = events()
    with override_settings(**settings):
        with existing_producer() as theirs:
            send_all(sent, theirs)
        subjects_after_theirs = registered(bus.schema_registry_url)
        with recorded(), own_producer() as ours:  # the records carry a trace context
            send_all(sent, ours)
        records = read_all(bus.bootstrap_servers, 2 * len(sent))
        yield Exchange(
            sent=sent,
            theirs=by_id(records[: len(sent)]),
            ours=by_id(records[len(sent) :]),
            subjects_after_theirs=subjects_after_theirs,
            subjects_after_ours=registered(bus.schema_registry_url),
            settings=settings,
        )


def send_all(sent: list[Sent], producer: EventBusProducer) -> None:
    for one in sent:
        one.by(producer)
    producer.prepare_for_shutdown()


def registered(url: str) -> dict[str, list[int]]:
    """Return the schema ids of each subject of the topic."""

    def get(path: str) -> Any:
        with urllib.request.urlopen(f"{url}{path}", timeout=10) as answer:
            return json.loads(answer.read())

    names = [name for name in get("/subjects") if name.startswith(f"{TOPIC}-")]
    return {
        name: [
            get(f"/subjects/{quote(name)}/versions/{number}")["id"]
            for number in get(f"/subjects/{quote(name)}/versions")
        ]
        for name in names
    }


def read_all(servers: str, count: int) -> list[Message]:
    """Return all records in the order of their timestamps."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "interop-reader", "log_level": 0})
    consumer.assign([TopicPartition(TOPIC, number, 0) for number in range(PARTITIONS)])
    found: list[Message] = []
    while len(found) < count:
        messages = consumer.consume(1000, 10)
        assert messages, f"{len(found)} records of {count}"
        found += messages
    consumer.close()
    return sorted(found, key=lambda message: (message.timestamp()[1], message.partition(), message.offset()))


def by_id(records: list[Message]) -> dict[str, Message]:
    return {dict(record.headers() or [])["ce_id"].decode(): record for record in records}  # type: ignore[union-attr]


def test_every_event_was_sent_by_both_packages(exchange: Exchange) -> None:
    ids = {str(one.metadata.id) for one in exchange.sent}
    assert len(ids) >= 200
    assert set(exchange.theirs) == set(exchange.ours) == ids


def test_record_values_of_both_packages_are_equal_byte_for_byte(exchange: Exchange) -> None:
    assert {i: record.value() for i, record in exchange.ours.items()} == {
        i: record.value() for i, record in exchange.theirs.items()
    }


def test_keys_and_partitions_of_both_packages_are_equal(exchange: Exchange) -> None:
    assert {i: (record.key(), record.partition()) for i, record in exchange.ours.items()} == {
        i: (record.key(), record.partition()) for i, record in exchange.theirs.items()
    }
    assert len({record.partition() for record in exchange.ours.values()}) > 1


def test_headers_are_those_of_edx_event_bus_kafka_plus_the_trace_context(exchange: Exchange) -> None:
    for event_id, record in exchange.theirs.items():
        theirs, ours = dict(record.headers() or []), dict(exchange.ours[event_id].headers() or [])
        assert ours.pop("traceparent", None), event_id
        assert ours == theirs


def test_this_package_registers_only_subjects_and_versions_that_edx_event_bus_kafka_registers(
    exchange: Exchange,
) -> None:
    assert exchange.subjects_after_ours == exchange.subjects_after_theirs
    assert len(exchange.subjects_after_ours) > 50


@pytest.mark.parametrize("writer", ["theirs", "ours"])
def test_this_package_reads_events_of_both_packages_unchanged(exchange: Exchange, writer: str) -> None:
    with override_settings(**exchange.settings):
        registry = SchemaRegistry(
            {"url": exchange.settings["EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL"]}, timeout=10, register=False
        )
        for one in exchange.sent:
            record = to_record(getattr(exchange, writer)[str(one.metadata.id)])
            event = serde.deserialize(record, one.signal, registry)
            assert event.data == one.data, one.signal.event_type
            assert event.metadata == one.metadata
        registry.close()


@pytest.mark.parametrize("writer", ["theirs", "ours"])
def test_edx_event_bus_kafka_reads_equal_data_from_events_of_both_packages(exchange: Exchange, writer: str) -> None:
    """
    When the existing package reads an event, it replaces falsy values by defaults, whichever package sent the event.
    """
    with override_settings(**exchange.settings), existing_reader() as reader:
        for one in exchange.sent:
            message = getattr(exchange, writer)[str(one.metadata.id)]
            assert reader.signal(message) is one.signal
            assert reader.metadata(message) == one.metadata
            data = reader.data(message, one.signal)
            assert data == reader.data(exchange.theirs[str(one.metadata.id)], one.signal)
            if one.data == data_of(one.signal, *VARIANTS["full"][:1]):
                assert data == one.data, one.signal.event_type


def test_the_events_include_keys_that_are_strings_and_keys_that_are_numbers(exchange: Exchange) -> None:
    kinds = {codec_for(one.signal).key(one.key_field).avro_name for one in exchange.sent}
    assert kinds >= {"string", "long"}


def test_a_key_field_that_does_not_exist_raises_a_configuration_error(exchange: Exchange) -> None:
    with pytest.raises(ConfigurationError):
        codec_for(exchange.sent[0].signal).key("no.such.field")
