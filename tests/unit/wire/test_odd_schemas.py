"""
A registry can return any schema. An event with this schema is decoded unchanged or refused, and the process continues.
"""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any, get_origin

import fastavro
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka.errors import IncompatibleSchema
from event_bus_kafka.wire import serde
from event_bus_kafka.wire.binary import long, string
from event_bus_kafka.wire.codec import codec_for
from tests.support.received import FRAME, Registry, event_in, record
from tests.unit.wire.odd_schemas import FIELDS, JSON, ODD_TYPES, READER, TYPES, Reader, values_of_schema

PYTHON_TYPES = {name: {get_origin(each.type) or each.type} for name, each in FIELDS.items()}
PYTHON_TYPES["ratio"] |= {int}  # exact beyond 53 bits, unlike a float
PYTHON_TYPES["maybe"] |= {type(None)}


def written(schema: dict[str, Any], values: dict[str, Any]) -> bytes | None:
    """Return the bytes that a writer with this schema writes. Return None if the writer cannot write the values."""
    out = BytesIO()
    try:
        fastavro.schemaless_writer(out, fastavro.parse_schema(schema), values)
    except Exception:  # noqa: BLE001 fastavro raises anything
        return None
    return out.getvalue()


def schema_of(field: str, kind: Any) -> dict[str, Any]:
    fields = [{"name": "text", "type": "string"}] if field != "text" else []
    inner = {"type": "record", "name": "R", "fields": [*fields, {"name": field, "type": kind}]}
    return {"type": "record", "name": "W", "fields": [{"name": "reader", "type": inner}]}


@pytest.mark.parametrize("field", [*FIELDS, "unknown"])
@settings(max_examples=6 * settings().max_examples)
@given(kind=TYPES, data=st.data())
def test_records_of_another_writer_are_read_unchanged_or_refused(field: str, kind: Any, data: st.DataObject) -> None:
    value = data.draw(values_of_schema(kind))
    schema = schema_of(field, kind)
    plain = json.loads(json.dumps(schema), object_hook=lambda each: {k: v for k, v in each.items() if k[0] != "l"})
    body = written(plain, {"reader": {"text": "", field: value}})
    if body is None:
        return
    event = event_in(FRAME + body, json.dumps(schema), READER)
    if event is None or field == "unknown":
        return
    expected = value if value is not None else Reader("").__getattribute__(field)
    assert getattr(event["reader"], field) == expected
    assert type(getattr(event["reader"], field)) in PYTHON_TYPES[field]


@given(JSON | ODD_TYPES, st.binary())
def test_arbitrary_json_as_a_schema_is_read_or_refused(schema: Any, body: bytes) -> None:
    event_in(FRAME + body, json.dumps(schema), READER)


@given(st.sampled_from(list(FIELDS)), ODD_TYPES, st.binary())
def test_an_arbitrary_type_of_a_field_is_read_or_refused(field: str, kind: Any, body: bytes) -> None:
    event_in(FRAME + body, json.dumps(schema_of(field, kind)), READER)


@given(st.text())
@example('{"type":"array","items":' * 100_000)
@example("[" * 100_000)
@example("9" * 5000)
def test_arbitrary_text_as_a_schema_is_refused(text: str) -> None:
    assert event_in(FRAME, text, READER) is None


def nested(levels: int) -> Any:
    kind: Any = "string"
    for _ in range(levels):
        kind = {"type": "array", "items": kind}
    return kind


CHAIN = [{"name": "text", "type": "string"}, {"name": "r0", "type": {"type": "record", "name": "R0", "fields": []}}]
CHAIN += [
    {
        "name": f"r{n}",
        "type": {
            "type": "record",
            "name": f"R{n}",
            "fields": [{"name": "a", "type": f"R{n - 1}"}, {"name": "b", "type": f"R{n - 1}"}],
        },
    }
    for n in range(1, 40)
]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("R", b""),
        ({"type": "array", "items": "R"}, b"\x02" * 1_000_000),
        (["null", "R"], b"\x02" * 1_000_000),
        ({"type": "map", "values": ["null", "R"]}, b"\x02\x00\x02" * 300_000),
        (nested(70), b"\x02" * 100),
        (nested(230), b"\x02" * 300),
        ({"type": "array", "items": "null"}, long(2**40)),
        ({"type": "array", "items": {"type": "fixed", "name": "F", "size": 0}}, long(2**40)),
        ({"type": "array", "items": {"type": "record", "name": "E", "fields": []}}, long(2**40)),
        ({"type": "record", "name": "Doubling", "fields": CHAIN}, string("")),
    ],
    ids=[
        "itself",
        "its_lists",
        "its_union",
        "its_map",
        "deep",
        "deeper",
        "nulls",
        "empty_fixed",
        "empty_records",
        "doubling",
    ],
)
def test_schemas_that_would_crash_the_process_are_refused(kind: Any, body: bytes) -> None:
    with pytest.raises(IncompatibleSchema):
        codec_for(READER).decoder(json.dumps(schema_of("unknown", kind)))(string("") + body)


def test_deeply_nested_json_is_refused_before_it_is_parsed_as_avro() -> None:
    """Python's JSON parser accepts deeper nesting than fastavro's parser of schemas, whose stack would overflow."""
    with pytest.raises(IncompatibleSchema, match="JSON"):
        codec_for(READER).decoder(json.dumps(nested(300)))


def test_a_signal_whose_class_has_no_avro_type_raises_incompatible_schema() -> None:
    signal = OpenEdxPublicSignal(event_type="test.unreadable.v1", data={"data": object})
    with pytest.raises(IncompatibleSchema, match="object has no Avro type") as caught:
        serde.deserialize(record(FRAME), signal, Registry('"string"'))
    assert caught.value.field == "data"
