"""
Every record of a topic is read as an event, or refused with an error of this package. Reading or refusing a record
needs a limited amount of memory.
"""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import fastavro
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from openedx_events.learning.signals import CERTIFICATE_CREATED

from event_bus_kafka.errors import InvalidHeaders
from event_bus_kafka.wire import cloudevents
from event_bus_kafka.wire.binary import long
from event_bus_kafka.wire.records import Headers
from tests.support.received import CODEC, FRAME, HEADERS, event_in
from tests.unit.wire.strategies import data_of, same

# Bytes

BODIES = data_of(CERTIFICATE_CREATED).map(CODEC.encode)
LENGTHS = [long(length) for length in (-1, -(2**63), 2**31, 2**60, 2**63 - 1)]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Draw the bytes of an event with one to three mutations."""
    body = bytearray(draw(BODIES))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(body)))
        match draw(st.sampled_from(["flip", "cut", "insert", "length"])):
            case "flip" if at < len(body):
                body[at] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del body[at : at + draw(st.integers(1, 200))]
            case "insert":
                body[at:at] = draw(st.binary(min_size=1, max_size=9))
            case _:
                body[at : at + 1] = draw(st.sampled_from(LENGTHS))
    return bytes(body)


@given(st.none() | st.binary() | st.binary().map(lambda body: FRAME + body))
def test_arbitrary_values_are_read_or_refused(value: bytes | None) -> None:
    event_in(value)


@given(BODIES)
def test_a_value_that_does_not_start_with_the_magic_byte_is_refused(body: bytes) -> None:
    assert event_in(FRAME + body) is not None
    assert event_in(b"{" + FRAME[1:] + body) is None


@given(damaged())
def test_damaged_values_are_read_or_refused(body: bytes) -> None:
    data = event_in(FRAME + body)
    if data is not None:
        assert same(CODEC.decoder(CODEC.schema)(CODEC.encode(data)), data)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(
    "kind", ["bytes", "string", {"type": "array", "items": "long"}, {"type": "map", "values": "int"}]
)
def test_less_than_a_megabyte_is_allocated_for_a_false_length(kind: Any, length: bytes) -> None:
    fields = [{"name": "lie", "type": kind}, *json.loads(CODEC.schema)["fields"]]
    schema = json.dumps({"type": "record", "name": "CloudEvent", "fields": fields})
    CODEC.decoder(schema)
    tracemalloc.start()
    try:
        assert event_in(FRAME + length + b"\0" * 1000, schema) is None
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_memory_error_is_not_reported_as_an_unreadable_record(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(fastavro, "schemaless_reader", no_memory)
    with pytest.raises(MemoryError):
        CODEC.decoder(CODEC.schema)(b"")


# Headers

NAMES = st.sampled_from([attribute.header for attribute in cloudevents.ATTRIBUTES]) | st.text()
TEXTS = st.text() | st.datetimes().map(str) | st.integers().map(str) | st.uuids().map(str)
HEADER_VALUES = st.none() | st.binary() | TEXTS.map(str.encode)


@given(st.lists(st.tuples(NAMES, HEADER_VALUES)).map(tuple), st.none() | st.integers(-(2**63), 2**63 - 1))
@example(HEADERS, 2**63 - 1)
@example(HEADERS, -(2**63))
@example((*HEADERS, ("ce_minorversion", b"9" * 5000)), 0)
@example((*HEADERS, ("ce_time", b"0001-01-01T00:00:00+23:59")), 0)
@example((*HEADERS, ("sourcelib", b"1." + b"9" * 5000)), 0)
def test_arbitrary_headers_are_read_or_refused(headers: Headers, timestamp: int | None) -> None:
    for read in (lambda: cloudevents.to_metadata(headers, timestamp), lambda: cloudevents.event_type(headers)):
        try:
            read()
        except InvalidHeaders:
            continue


@given(st.integers(-(10**12), 10**13))
def test_the_timestamp_of_a_record_is_used_if_the_time_header_is_missing(timestamp: int) -> None:
    time = cloudevents.to_metadata(HEADERS, timestamp).time
    assert (time - cloudevents.to_metadata(HEADERS, 0).time).total_seconds() == pytest.approx(timestamp / 1000)
