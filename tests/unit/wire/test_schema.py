"""
The schemas of this package equal the schemas of the installed openedx-events. If there is no schema for event data, the
error explains the reason.
"""

import json
from datetime import datetime
from io import BytesIO
from typing import Any, BinaryIO

import attr
import attrs
import fastavro
import pytest
from openedx_events.tooling import KNOWN_UNSERIALIZABLE_SIGNALS, OpenEdxPublicSignal

from event_bus_kafka.errors import SerializationError
from event_bus_kafka.wire.codec import codec_for
from tests.support.openedx_avro import SIGNALS, text_of_openedx


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: signal.event_type)
def test_the_schema_of_each_signal_equals_the_schema_of_openedx_events(signal: OpenEdxPublicSignal) -> None:
    expected = text_of_openedx(signal)
    if expected is None:
        with pytest.raises(SerializationError) as caught:
            codec_for(signal)
        assert caught.value.field.split(".")[0] in signal.init_data
        assert signal.event_type in str(caught.value)
    else:
        assert codec_for(signal).schema == expected


def test_the_comparison_with_openedx_events_covers_most_signals() -> None:
    comparable = [signal for signal in SIGNALS if text_of_openedx(signal) is not None]
    assert len(comparable) >= len(SIGNALS) - len(KNOWN_UNSERIALIZABLE_SIGNALS) >= 50


@attrs.frozen
class Inner:
    name: str
    count: int = 0


@attrs.frozen
class Newer:
    inners: list[Inner]
    by_name: dict[str, Inner]
    nested: dict[str, list[list[int]]]
    maybe: list[Inner] = None  # type: ignore[assignment]


def signal_of(**data: object) -> OpenEdxPublicSignal:
    return OpenEdxPublicSignal(event_type=f"test.{'_'.join(data)}.v1", data=data)


def newer_signal() -> OpenEdxPublicSignal:
    return OpenEdxPublicSignal(event_type="test.newer.v1", data={"newer": Newer})


def test_containers_of_attrs_classes_have_the_schema_of_newer_openedx_events() -> None:
    inner = {
        "name": "Inner",
        "type": "record",
        "fields": [{"name": "name", "type": "string"}, {"name": "count", "type": "long"}],
    }
    (field,) = json.loads(codec_for(newer_signal()).schema)["fields"]
    assert field["type"]["fields"] == [
        {"name": "inners", "type": {"type": "array", "items": inner}},
        {"name": "by_name", "type": {"type": "map", "values": "Inner"}},
        {
            "name": "nested",
            "type": {"type": "map", "values": {"type": "array", "items": {"type": "array", "items": "long"}}},
        },
        {"name": "maybe", "type": ["null", {"type": "array", "items": "Inner"}], "default": None},
    ]


def test_containers_of_attrs_classes_are_encoded_and_decoded_to_equal_data() -> None:
    codec = codec_for(newer_signal())
    newer = Newer(
        inners=[Inner("a", 1), Inner("")], by_name={"x": Inner("b")}, nested={"n": [[1, 2], []]}, maybe=[Inner("c")]
    )
    body = codec.encode({"newer": newer})
    assert codec.decoder(codec.schema)(body) == {"newer": newer}
    plain: Any = fastavro.schemaless_reader(BytesIO(body), fastavro.parse_schema(json.loads(codec.schema)), None)
    assert plain["newer"]["inners"] == [{"name": "a", "count": 1}, {"name": "", "count": 0}]


@attrs.frozen
class Bare:
    untyped: list  # type: ignore[type-arg]


@attrs.frozen
class Stream:
    image: BinaryIO


@attrs.frozen
class Numbered:
    by_number: dict[int, str]


@attrs.frozen
class Textual:
    when: "datetime"


def another(name: str) -> type:
    return attrs.make_class(name, {"other": attr.ib(type=int)}, frozen=True)


@attrs.frozen
class Collision:
    first: Inner
    second: another("Inner")  # type: ignore[valid-type]


@pytest.mark.parametrize(
    ("cls", "field", "reason"),
    [
        (Bare, "arg.untyped", "does not say what its items are"),
        (Stream, "arg.image", "has no Avro type"),
        (Numbered, "arg.by_number", "keys of Avro maps are str"),
        (Textual, "arg.when", "its annotation is the text"),
        (Collision, "arg.second", "two classes are called Inner"),
    ],
)
def test_an_unencodable_event_is_reported_with_the_signal_the_field_and_the_reason(
    cls: type, field: str, reason: str
) -> None:
    signal = OpenEdxPublicSignal(event_type=f"test.{cls.__name__.lower()}.v1", data={"arg": cls})
    with pytest.raises(SerializationError) as caught:
        codec_for(signal)
    assert caught.value.event_type == signal.event_type
    assert caught.value.field == field
    assert reason in caught.value.reason
