"""Classes and values at the limits of Avro are encoded exactly, or refused with an error that names the field."""

from array import array
from typing import Any

import attrs
import pytest
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka.errors import SerializationError
from event_bus_kafka.wire.codec import EventCodec, codec_for
from tests.unit.wire.strategies import SECRET, Raising


def codec_of(annotation: Any) -> EventCodec:
    return codec_for(OpenEdxPublicSignal(event_type="test.odd_class.v1", data={"value": annotation}))


def travelled(annotation: Any, value: Any) -> Any:
    codec = codec_of(annotation)
    return codec.decoder(codec.schema)(codec.encode({"value": value}))["value"]


@attrs.frozen
class Pair:
    one: int
    two: int


@attrs.frozen
class Single:
    one: int


@attrs.frozen
class Empty:
    pass


@attrs.frozen
class Node:
    child: "Node" = None  # type: ignore[assignment]


def test_buffers_with_items_wider_than_a_byte_are_encoded_completely() -> None:
    assert travelled(bytes, array("i", [1, 2])) == bytes(memoryview(array("i", [1, 2])).cast("B"))


@pytest.mark.parametrize(
    ("annotation", "value"), [(bool, 1), (bool, 0.0), (int, True), (float, 1), (float, True), (float, 2**53)]
)
def test_a_number_of_another_type_is_encoded_if_the_value_does_not_change(annotation: Any, value: Any) -> None:
    arrived = travelled(annotation, value)
    assert arrived == value
    assert type(arrived) is annotation


@pytest.mark.parametrize("annotation", [Pair, Single])
def test_an_error_while_reading_an_attribute_is_reported_with_the_field_and_without_the_error_text(
    annotation: Any,
) -> None:
    with pytest.raises(SerializationError, match="reading it raised RuntimeError") as caught:
        codec_of(annotation).encode({"value": Raising()})
    assert caught.value.field == "value.one"
    assert SECRET not in str(caught.value)


def test_a_recursive_class_has_no_avro_type() -> None:
    attrs.resolve_types(Node)
    with pytest.raises(SerializationError, match="contains itself") as caught:
        codec_of(Node)
    assert caught.value.field == "value"


def test_a_class_without_fields_is_encoded_as_no_bytes() -> None:
    assert travelled(Empty, Empty()) == Empty()
    assert codec_of(Empty).encode({"value": Empty()}) == b""


@pytest.mark.parametrize("value", [None, {}, SECRET, Pair(1, 2)])
def test_a_field_whose_class_has_no_fields_refuses_an_object_of_another_class(value: Any) -> None:
    with pytest.raises(SerializationError, match="expected Empty"):
        codec_of(Empty).encode({"value": value})


@pytest.mark.parametrize("annotation", [list[Empty], dict[str, Empty]])
def test_containers_of_classes_without_fields_have_no_avro_type(annotation: Any) -> None:
    with pytest.raises(SerializationError, match="Empty has no fields"):
        codec_of(annotation)


def test_half_a_surrogate_pair_is_refused_with_an_explanation() -> None:
    with pytest.raises(SerializationError, match="surrogate pair"):
        codec_of(str).encode({"value": "\ud800"})
