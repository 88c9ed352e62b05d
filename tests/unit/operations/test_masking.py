"""Keys and values of events may be personal data, so commands and pages mask them."""

from __future__ import annotations

import io
import json

import fastavro

from event_bus_kafka.operations import masking
from tests.support.received import FRAME, Registry

SCHEMA = {
    "type": "record",
    "name": "E",
    "fields": [
        {"name": "scores", "type": {"type": "map", "values": "double"}},
        {"name": "who", "type": {"type": "array", "items": {"type": "record", "name": "P", "fields": [
            {"name": "name", "type": "string"}, {"name": "photo", "type": ["null", "bytes"]}]}}},
    ],
}  # fmt: skip


def test_masking_hides_values_and_map_keys_except_keys_that_equal_a_field_name() -> None:
    body = io.BytesIO()
    people = [{"name": "Ada", "photo": b"x"}, {"name": "Bob", "photo": None}]
    fastavro.schemaless_writer(body, SCHEMA, {"scores": {"ada@example.com": 0.5, "name": 1.0}, "who": people})
    assert masking.masked(FRAME + body.getvalue(), Registry(json.dumps(SCHEMA))) == {
        "scores": {"<key 0>": "<float>", "name": "<float>"},
        "who": [{"name": "<str>", "photo": "<bytes>"}, {"name": "<str>", "photo": None}],
    }


def test_a_masked_key_depends_only_on_the_key_and_not_on_the_schema_id() -> None:
    assert masking.masked_key(b"\0\0\0\0\1key") == masking.masked_key(b"\0\0\0\0\2key") != masking.masked_key(FRAME)
    assert masking.masked_key(None) is None
