"""
The generated decoder can read the events of all signals of openedx-events that have an Avro schema. If it raises no
error, it returns the same values as the general decoder.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka.errors import DeserializationError
from event_bus_kafka.wire import writer_schema
from event_bus_kafka.wire.binary import long, string
from event_bus_kafka.wire.codec import codec_for, plain_decoder
from event_bus_kafka.wire.record_decoder import quick_decoder
from event_bus_kafka.wire.resolution import binder
from tests.support.memory import kept_of
from tests.support.openedx_avro import ENCODABLE
from tests.support.scale import scaled
from tests.unit.wire.mutated_records import kept_bodies, mutated_record, seeds
from tests.unit.wire.odd_schemas import READER
from tests.unit.wire.strategies import NEWER, data_of, events, same

RECORDS = scaled(4_000, long=100_000)
Decode = Callable[[bytes], Any]


def ways(signal: OpenEdxPublicSignal, schema: str) -> tuple[Decode | None, Decode]:
    """
    Return the generated decoder and the general decoder. If no decoder can be generated for the schema, the first value
    is None.
    """
    codec = codec_for(signal)
    writer, names = writer_schema.parse(schema)
    bind = binder(codec.avro_type, writer, names)
    assert bind is not None
    read = plain_decoder(schema)
    return quick_decoder(codec.avro_type, writer, names, most_lines=len(schema) // 8), lambda body: bind(read(body))


@given(st.data())
@pytest.mark.parametrize("signal", ENCODABLE, ids=lambda signal: signal.event_type)
def test_every_signal_of_openedx_events_has_a_generated_decoder(
    signal: OpenEdxPublicSignal, data: st.DataObject
) -> None:
    event_data = data.draw(data_of(signal))
    codec = codec_for(signal)
    quick, careful = ways(signal, codec.schema)
    assert quick is not None
    assert same(quick(codec.encode(event_data)), event_data)
    assert same(careful(codec.encode(event_data)), event_data)


@given(events(NEWER))
def test_the_generated_and_the_general_decoder_read_the_same_values(
    event: tuple[OpenEdxPublicSignal, dict[str, Any]],
) -> None:
    signal, data = event
    codec = codec_for(signal)
    quick, careful = ways(signal, codec.schema)
    body = codec.encode(data)
    if quick is not None and (found := ended(quick, body)) is not None:
        assert same(found, careful(body))


def ended(decode: Decode, body: bytes) -> Any:
    try:
        return decode(body)
    except Exception:  # noqa: BLE001 whatever it is, the careful way says what is wrong
        return None


def test_the_generated_decoder_reads_mutated_records_like_the_general_decoder() -> None:
    schemas, bodies = seeds(), kept_bodies()
    read = 0
    for number in range(RECORDS):
        schema, body = mutated_record(Random(number), schemas, bodies, 2_000)
        try:
            quick, careful = ways(READER, schema)
        except (DeserializationError, RecursionError, AttributeError, TypeError):
            continue  # the schema is not that of a record, or not readable with our class
        if quick is not None and (found := ended(quick, body)) is not None:
            assert repr(found) == repr(careful(body)), f"record {number}"
            read += 1
    assert read > RECORDS / 200, "too few of the mutated records are readable"


FLAGGED = OpenEdxPublicSignal(event_type="test.flagged.v1", data={"is_set": bool})


@pytest.mark.parametrize("body", [b"\2", b"", b"\1\1"], ids=["another number", "too short", "too long"])
def test_the_generated_decoder_raises_for_malformed_bytes(body: bytes) -> None:
    quick, _ = ways(FLAGGED, codec_for(FLAGGED).schema)
    assert quick is not None
    assert quick(b"\1") == {"is_set": True}
    assert ended(quick, body) is None


NOTED = OpenEdxPublicSignal(event_type="test.noted.v1", data={"note": str, "size": int})
NEGATIVE = long(-100)
"""The encoding of the number -100 in two bytes. A careless reader decodes these bytes to a length of 99."""
ENDLESS = b"\xff" * 11


@pytest.mark.parametrize(
    "body",
    [NEGATIVE + b"x" * 99 + b"\2", b"\2a" + ENDLESS + b"\1"],
    ids=["a negative length", "a number without an end"],
)
def test_the_generated_decoder_raises_for_a_negative_length_and_for_a_number_without_an_end(body: bytes) -> None:
    quick, _ = ways(NOTED, codec_for(NOTED).schema)
    assert quick is not None
    for size in (0, 63, 64, -64, -65, 8_191, 8_192, 1 << 40, -(1 << 63), (1 << 63) - 1):
        assert quick(string("a" * 99) + long(size)) == {"note": "a" * 99, "size": size}
    assert ended(quick, body) is None


def nested(levels: int) -> Any:
    """Return the type of lists that are nested in ``levels`` levels."""
    return "int" if not levels else {"type": "array", "items": nested(levels - 1)}


@pytest.mark.parametrize("levels", [9, 11, 60])
def test_deeply_nested_lists_are_read(levels: int) -> None:
    """Python allows at most twenty nested loops in a function, so generated code cannot use a loop for each level."""
    schema = json.loads(codec_for(FLAGGED).schema)
    schema["fields"].append({"name": "deep", "type": nested(levels)})
    decode = codec_for(FLAGGED).decoder(json.dumps(schema))
    assert decode(b"\1" + b"\2" * (levels + 1) + b"\0" * levels) == {"is_set": True}


def test_no_decoder_is_generated_for_a_short_schema_if_its_code_would_be_long() -> None:
    """
    A short schema can use the same type a thousand times. The cache of decoders limits only the number of characters of
    the schemas.
    """
    fields = [{"name": f"f{number}", "type": ["null", "int"]} for number in range(20)]
    schema = json.loads(codec_for(FLAGGED).schema)
    schema["fields"].append({"name": "first", "type": {"type": "record", "name": "L", "fields": fields}})
    schema["fields"] += [{"name": f"g{number}", "type": "L"} for number in range(50)]
    text = json.dumps(schema)
    assert ways(FLAGGED, text)[0] is None
    assert codec_for(FLAGGED).decoder(text)(b"\1" + b"\0" * 51 * 20) == {"is_set": True}


@pytest.mark.parametrize("signal", ENCODABLE, ids=lambda signal: signal.event_type)
def test_the_memory_of_a_generated_decoder_is_limited_by_the_length_of_its_schema(
    signal: OpenEdxPublicSignal,
) -> None:
    schema = codec_for(signal).schema
    assert kept_of(lambda: codec_for(signal).decoder(schema)) < 40 * (len(schema) + 200)


def test_an_error_of_the_generated_decoder_is_not_chained_to_the_raised_error() -> None:
    """The error of the generated decoder may quote event data."""
    signal = OpenEdxPublicSignal(event_type="test.ids.v1", data={"id": UUID})
    codec = codec_for(signal)
    with pytest.raises(DeserializationError) as caught:
        codec.decoder(codec.schema)(string("learner@example.com"))
    assert caught.value.__context__ is None or "learner" not in str(caught.value.__context__.__context__)
    assert caught.value.__suppress_context__
