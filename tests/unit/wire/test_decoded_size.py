"""
A decoded record needs no more memory than the setting allows, whatever its schema and its bytes contain (case C4).
"""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import attrs
import pytest
from opaque_keys.edx.keys import CourseKey, UsageKey
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka.errors import DeserializationError, IncompatibleSchema, UnreadableValue
from event_bus_kafka.wire import serde
from event_bus_kafka.wire.binary import long, string
from event_bus_kafka.wire.codec import EventCodec, codec_for, plain_decoder
from tests.support.memory import kept_of, peak_of
from tests.unit.wire.odd_schemas import READER

MILLION = 1_000_000
MANY = 200_000
COURSES = OpenEdxPublicSignal(event_type="test.courses.v1", data={"courses": list[CourseKey]})


def event_schema(kind: Any) -> str:
    """Return the schema of a writer whose class has one field more than READER; the field has the type ``kind``."""
    inner = {"type": "record", "name": "R", "fields": [{"name": "text", "type": "string"}]}
    fields = [{"name": "reader", "type": inner}, {"name": "more", "type": kind}]
    return json.dumps({"type": "record", "name": "W", "fields": fields})


def chain(levels: int, kind: Any) -> Any:
    """Return a type of records that are nested in ``levels`` levels."""
    for level in range(levels):
        kind = {"type": "record", "name": f"C{level}", "fields": [{"name": "f", "type": kind}]}
    return kind


BOMBS: dict[str, tuple[Any, bytes]] = {
    "empty lists": ({"type": "array", "items": {"type": "array", "items": "int"}}, b"\0" * MANY),
    "empty maps": ({"type": "array", "items": {"type": "map", "values": "int"}}, b"\0" * MANY),
    "booleans in records": ({"type": "array", "items": chain(40, "boolean")}, b"\1" * MANY),
    "nulls of a union": ({"type": "array", "items": ["null", chain(40, "int")]}, b"\0" * 3 * MANY),
    "numbers": ({"type": "array", "items": "double"}, bytes(8 * 2 * MANY)),
    "short texts": ({"type": "array", "items": "string"}, string("ab") * MANY),
    "entries of a map": ({"type": "map", "values": "int"}, b"".join(string(f"{n:x}") + b"\2" for n in range(MANY))),
    "enums": (
        {"type": "array", "items": {"type": "record", "name": "E", "fields": [
            {"name": "e", "type": {"type": "enum", "name": "S", "symbols": ["A"]}}]}},
        b"\0" * MANY,
    ),
}  # fmt: skip


def peak(schema: str, body: bytes, most: int) -> tuple[int, Exception | None]:
    """Return the peak memory of decoding, and the exception that the decoding raised, or None."""
    decode = codec_for(READER).decoder(schema, most)
    errors: list[Exception] = []

    def decoded() -> object:
        try:
            return decode(body)
        except DeserializationError as error:
            errors.append(error)
            return None

    return peak_of(decoded), errors[0] if errors else None


def least_limit(decode: Callable[[int], object]) -> int:
    """Return the lowest memory limit with which a record is decoded, with an accuracy of a thousand bytes."""
    least, most = 0, 64 * MILLION
    while most - least > 1000:
        middle = (least + most) // 2
        try:
            decode(middle)
        except UnreadableValue:
            least = middle
        else:
            most = middle
    return most


@pytest.mark.parametrize("name", BOMBS)
def test_c4_a_record_that_would_exceed_the_memory_limit_is_refused_before_decoding(name: str) -> None:
    kind, items = BOMBS[name]
    count = MANY if name in ("short texts", "entries of a map") else len(items) // (8 if name == "numbers" else 1)
    taken, error = peak(event_schema(kind), string("") + long(count) + items + b"\0", 4 * MILLION)
    assert isinstance(error, UnreadableValue)
    assert "EVENT_BUS_KAFKA_DECODED_BYTES" in str(error)
    assert taken < 4 * MILLION


@pytest.mark.parametrize("name", BOMBS)
def test_a_decoded_record_takes_no_more_memory_than_was_counted(name: str) -> None:
    kind, _ = BOMBS[name]
    items = {
        "numbers": bytes(8 * 1000),
        "short texts": string("ab") * 1000,
        "entries of a map": b"".join(string(f"{n:x}") + b"\2" for n in range(1000)),
    }
    body = string("") + long(1000) + items.get(name, (b"\1" if "bool" in name else b"\0") * 1000) + b"\0"
    most = least_limit(lambda most: codec_for(READER).decoder(event_schema(kind), most)(body))
    taken, error = peak(event_schema(kind), body, most)
    assert error is None
    assert taken <= most


def test_objects_created_from_fields_count_towards_the_memory_limit() -> None:
    """A few bytes in a record can be decoded to a key object that consists of many objects."""
    codec = codec_for(COURSES)
    body = codec.encode({"courses": [CourseKey.from_string(f"course-v1:a+b+{number}") for number in range(3000)]})
    decode = codec.decoder(codec.schema)
    assert len(decode(body)["courses"]) == 3000
    taken = kept_of(lambda: decode(body))
    with pytest.raises(UnreadableValue, match="EVENT_BUS_KAFKA_DECODED_BYTES"):
        codec.decoder(codec.schema, taken)(body)


def test_an_event_of_900_kb_with_160_000_nulls_is_within_the_memory_limit() -> None:
    """
    Formerly each null in an optional field with an opaque key counted as 1.3 kB. So an event of 900 kB became a dead
    letter.
    """
    optional = {"course": CourseKey, "parent": UsageKey, "start": datetime, "due": datetime}
    fields = {name: attrs.field(type=kind, default=None) for name, kind in optional.items()}
    block: Any = attrs.make_class("Block", {"title": attrs.field(type=str), **fields})
    codec = codec_for(OpenEdxPublicSignal(event_type="test.blocks.v1", data={"blocks": list[block]}))
    body = codec.encode({"blocks": [block(f"Week 3, block {number}") for number in range(40_000)]})
    assert 800_000 < len(body) < 1_000_000
    assert len(codec.decoder(codec.schema)(body)["blocks"]) == 40_000


def test_a_large_record_within_the_memory_limit_is_read() -> None:
    text = "a" * 20 * MILLION
    assert plain_decoder('"string"')(string(text)) == text


@pytest.mark.parametrize("body", [b"\x80" * MILLION, long(-5), long(2**62), b"", long(5) + b"\x03" * 4])
def test_a_malformed_body_is_refused_while_its_size_is_counted(body: bytes) -> None:
    with pytest.raises(UnreadableValue):
        plain_decoder('{"type": "array", "items": ["null", "string"]}', 100)(body)


@pytest.mark.parametrize("name", ["null", "int", "record", "array", "test.null"])
@pytest.mark.parametrize("kind", ["fixed", "enum", "record"])
def test_c4_a_named_type_with_the_name_of_a_built_in_type_is_refused(name: str, kind: str) -> None:
    """
    Formerly a schema could define a type named ``null``. The items of a list then had this type and needed no bytes. So
    116 bytes were decoded to 1.6 GB.
    """
    own = {"type": kind, "name": name, "namespace": "", "size": 1, "symbols": ["A"], "fields": []}
    inner = {"type": "record", "name": "W", "fields": [
        {"name": "own", "type": own}, {"name": "nulls", "type": {"type": "array", "items": "null"}}]}  # fmt: skip
    with pytest.raises(IncompatibleSchema, match="name of a primitive Avro type"):
        plain_decoder(json.dumps(inner))


@pytest.mark.parametrize("size", [-1, 1.5, "1", None, True, 10**30])
def test_a_fixed_type_with_an_invalid_size_is_refused(size: Any) -> None:
    with pytest.raises(IncompatibleSchema):
        plain_decoder(json.dumps({"type": "fixed", "name": "F", "size": size}))


def test_a_schema_is_refused_if_it_is_longer_than_registries_accept() -> None:
    with pytest.raises(IncompatibleSchema, match="characters"):
        plain_decoder(json.dumps({"type": "string", "doc": "x" * MILLION}))


def row_class(**types: Any) -> Any:
    return attrs.make_class("Row", {name: attrs.field(type=kind) for name, kind in types.items()}, frozen=True)


HONEST: dict[str, tuple[Any, Callable[[int], tuple[Any, ...]]]] = {
    "two numbers": (row_class(first=int, second=int), lambda n: (n + 70_000, 8_000_000)),
    "small numbers": (row_class(first=int, second=int), lambda _: (1, 60)),
    "large numbers": (row_class(first=int, second=float), lambda n: (2**62 + n, 0.5)),
    "three texts": (row_class(a=str, b=str, c=str), lambda n: (f"grade {n}", "Zoë", "名前の表")),
    "twelve booleans": (row_class(**dict.fromkeys("abcdefghijkl", bool)), lambda _: (True,) * 12),
    "twenty numbers": (row_class(**{f"a{n}": int for n in range(20)}), lambda _: (1000,) * 20),
    "forty numbers": (row_class(**{f"a{n}": int for n in range(40)}), lambda _: (1000,) * 40),
    "a list": (row_class(ids=list[int]), lambda n: ([n + 1000, 2000, 3000, 4000],)),
    "a time": (row_class(time=datetime), lambda _: (datetime(2026, 1, 2, tzinfo=UTC),)),
    "an id": (row_class(id=UUID), lambda n: (UUID(int=n),)),
}


def rows(name: str, count: int) -> tuple[EventCodec, bytes]:
    """Return the codec of an event that contains a list of rows, and the bytes of such an event."""
    made, values = HONEST[name]
    data = {"rows": list[made]}  # type: ignore[valid-type]
    codec = codec_for(OpenEdxPublicSignal(event_type=f"test.{name.replace(' ', '_')}.v1", data=data))
    return codec, codec.encode({"rows": [made(*values(number)) for number in range(count)]})


@pytest.mark.parametrize("name", HONEST)
def test_the_counted_memory_of_ordinary_records_is_at_most_a_quarter_too_high(name: str) -> None:
    codec, body = rows(name, 1000)
    counted = least_limit(lambda most: codec.decoder(codec.schema, most)(body))
    decode = codec.decoder(codec.schema, counted)  # a body whose memory is counted is read by the general decoder
    taken = peak_of(lambda: decode(body))
    assert taken <= counted <= 1.25 * taken


def test_an_event_of_900_kb_is_read_unless_its_decoded_values_exceed_the_memory_limit() -> None:
    """The first event needs 52 MB of memory. The second event needs 150 MB, which exceeds the limit."""
    codec, body = rows("two numbers", 127_000)
    assert 880_000 < len(body) < 900_000
    assert len(codec.decoder(codec.schema)(body)["rows"]) == 127_000
    codec, body = rows("small numbers", 440_000)
    assert len(body) < 900_000
    with pytest.raises(UnreadableValue, match="EVENT_BUS_KAFKA_DECODED_BYTES"):
        codec.decoder(codec.schema)(body)


def fields(count: int, kind: Any) -> list[Any]:
    return [{"name": f"f{number}", "type": kind} for number in range(count)]


LEAF = {"type": "record", "name": "L", "fields": fields(9, ["null", "int"])}
HOSTILE = {
    "many fields": {"type": "record", "name": "M", "fields": fields(1000, ["null", "int"])},
    "one type in many places": {"type": "record", "name": "M", "fields": [*fields(1, LEAF), *fields(300, "L")[1:]]},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_c4_a_decoder_needs_less_than_40_bytes_of_memory_per_character_of_its_schema(name: str) -> None:
    """
    The cache of decoders limits only the number of characters of the schemas. Formerly the decoder of a schema of 25 kB
    needed 2 MB.
    """
    schema = json.dumps(HOSTILE[name])
    plain_decoder(schema)
    assert kept_of(lambda: plain_decoder(schema)) < 40 * len(schema)


class Registry:
    """A registry that returns a different long schema for each id."""

    def schema_of(self, schema_id: int) -> str:
        return json.dumps({"type": "string", "doc": f"{schema_id}{'x' * 40_000}"})

    def id_of(self, subject: str, schema: str, until: float = 0) -> int:
        raise NotImplementedError


def test_c4_the_memory_of_all_cached_decoders_is_limited() -> None:
    tracemalloc.start()
    try:
        for number in range(100):
            assert serde.as_written(b"\0" + number.to_bytes(4, "big") + string("a"), Registry()) == "a"
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert kept < MILLION
