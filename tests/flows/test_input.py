"""
No record stops a worker. If a record is unreadable, a dead letter contains its exact bytes. All other records are
processed.
"""

from __future__ import annotations

import json

import attrs
from confluent_kafka import Message, Producer
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from django.test import override_settings

from event_bus_kafka.wire.records import Headers
from tests.services.bus import CREATED, Bus
from tests.support.dead_letters import Kept
from tests.support.examples_of import certificate
from tests.support.sending import send
from tests.support.workers import worker

MORE = {"EVENT_BUS_KAFKA_PRODUCER_OPTIONS": {"message.max.bytes": 2_000_000}}
TYPE = ("ce_type", CREATED.encode())
ID = ("ce_id", b"12345678-1234-5678-1234-567812345678")
NOBODY_LISTENS = b"org.openedx.learning.student.registration.completed.v1"


@attrs.frozen
class Odd:
    """
    A record on the topic. ``error`` is a part of the text in its dead letter. If ``error`` is empty, the record does
    not become a dead letter.
    """

    error: str
    value: bytes | None
    headers: Headers = (TYPE, ID)
    key: bytes | None = b"key"


def odd_records(good: bytes, array_schema: int) -> list[Odd]:
    """Return records that differ from a valid record. Most of them are malformed."""
    claims_an_array = b"\x00" + array_schema.to_bytes(4, "big") + b"\xfe\xff\xff\xff\xff\xff\xff\x7f\x02"
    claims_a_text = good.replace(b"\x0ahonor", b"\xfe\xff\xff\xff\x0fhonor")
    return [
        Odd("starts with byte 1", b"\x01" + good[1:]),
        Odd("HTTP 404", b"\x00\x00\x3e\xff\xff" + good[5:], key=None),
        Odd("UnreadableValue", good[:-3], key=b""),
        Odd("UnreadableValue", good + b"x", key=b"\x00\xff"),
        Odd("UnreadableValue", claims_a_text),
        Odd("UnreadableValue", claims_an_array),
        Odd("too few for a schema id", b""),
        Odd("too few for a schema id", good[:4]),
        Odd("", None),
        Odd("ce_type", good, ()),
        Odd("ce_type", good, (TYPE, TYPE, ID)),
        Odd("ce_type", good, (("ce_type", b"\xff\xfe"), ID)),
        Odd("ce_type", good, (("ce_type", None), ID)),
        Odd("ce_id", good, (TYPE,)),
        Odd("ce_id", good, (TYPE, ("ce_id", b"no uuid"))),
        Odd("ce_id", good, (TYPE, ("ce_id", b"\xff"), ("own", b"\x00\x01"), ("own", None))),
        Odd("", good, (("ce_type", b"org.example.unknown.v1"), ID)),
        Odd("", b"anything", (("ce_type", NOBODY_LISTENS), ID)),
    ]


def put(bus: Bus, topic: str, records: list[Odd]) -> None:
    producer = Producer({"bootstrap.servers": bus.bootstrap_servers, "log_level": 0})
    for one in records:
        producer.produce(topic, key=one.key, value=one.value, headers=list(one.headers), partition=0)
    assert producer.flush(10) == 0


def value(message: Message) -> bytes:
    found = message.value()
    assert isinstance(found, bytes)
    return found


def array_first(bus: Bus, good: bytes) -> int:
    """
    Register a schema that equals the schema of a valid record, except that an array precedes the other fields. Return
    the id of the new schema.
    """
    with SchemaRegistryClient({"url": bus.schema_registry_url}) as registry:
        schema = json.loads(registry.get_schema(int.from_bytes(good[1:5], "big")).schema_str or "")
        schema["fields"].insert(0, {"name": "many", "type": {"type": "array", "items": "long"}})
        return int(registry.register_schema("odd", Schema(json.dumps(schema), "AVRO")))


def test_case_19_exactly_the_malformed_records_become_dead_letters_with_all_their_bytes(
    bus: Bus, topic: str, group: str, kept: Kept
) -> None:
    send(bus, topic, certificate(1))
    (first,) = bus.records(topic, 1)
    records = odd_records(value(first), array_first(bus, value(first)))
    put(bus, topic, records)
    send(bus, topic, certificate(2))
    with worker(bus, topic, group, "note", **kept.settings) as process:
        process.wait_for_users("note", [1, 2])
        wrong = [(offset, one) for offset, one in enumerate(records, 1) if one.error]
        process.wait_for(lambda: process.log.count("stored as a dead letter") == len(wrong))
        assert process.stop() == 0
    letters = kept.read(len(wrong))
    assert [(letter.group, letter.record.topic, letter.record.partition) for letter in letters] == [
        (group, topic, 0)
    ] * len(wrong)
    found = [(one.record.offset, one.record.key, one.record.value, one.record.headers) for one in letters]
    assert found == [(offset, one.key, one.value, one.headers) for offset, one in wrong]
    for letter, (_, one) in zip(letters, wrong, strict=True):
        assert one.error in letter.failures[0].error
        assert letter.failures[0].receiver == ""
    assert bus.committed(group, topic) == len(records) + 2


def test_case_19_an_event_of_unknown_type_becomes_a_dead_letter_if_configured(
    bus: Bus, topic: str, group: str, kept: Kept
) -> None:
    put(bus, topic, [Odd("", b"anything", (("ce_type", b"org.example.unknown.v1"), ID))])
    settings = kept.settings | {"EVENT_BUS_KAFKA_UNKNOWN_EVENT_TYPES": "dead-letter"}
    with worker(bus, topic, group, "note", **settings) as process:
        process.wait_for_log("stored as a dead letter")
        assert process.stop() == 0
    (letter,) = kept.read(1)
    assert (letter.event_type, letter.event_id) == ("org.example.unknown.v1", ID[1].decode())
    assert bus.committed(group, topic) == 1


def test_case_19_records_with_a_large_text_or_a_large_array_are_processed(bus: Bus, topic: str, group: str) -> None:
    """
    One record has a text of 1 MB. Another record has an array of 100,000 numbers in a field that the event's class does
    not have.
    """
    with override_settings(**MORE):
        send(bus, topic, certificate(1, name="x" * 1_000_000), certificate(2))
    small = value(bus.records(topic, 2)[1])
    numbers = b"\xc0\x9a\x0c" + b"\x02" * 100_000 + b"\x00"
    wide = b"\x00" + array_first(bus, small).to_bytes(4, "big") + numbers + small[5:]
    put(bus, topic, [Odd("", wide)])
    with worker(bus, topic, group, "trouble.describe") as process:
        process.wait_for_users("describe", [1, 2, 2])
        assert process.stop() == 0
    assert [line["name"] for line in process.heard("describe")] == [1_000_000, 7, 7]
    assert bus.committed(group, topic) == 3
