"""
For random classes and values, this package writes the same bytes as openedx-events. These bytes are decoded to equal
values.
"""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any
from uuid import UUID

import fastavro
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka.errors import SerializationError
from event_bus_kafka.wire.codec import codec_for
from tests.support.openedx_avro import ENCODABLE, bytes_of_openedx, text_of_openedx
from tests.unit.wire.strategies import NEWER, OLDER, SECRET, WRONG, data_of, events, misfit_events, plain, same

MANY = settings(max_examples=3 * settings().max_examples)
"""Settings of Hypothesis with three times the usual number of examples, because both classes and values vary."""


def bytes_of_fastavro(schema: str, data: dict[str, Any]) -> bytes:
    out = BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(schema)), plain(data))
    return out.getvalue()


@MANY
@given(events(OLDER))
def test_the_schema_and_the_bytes_of_random_data_equal_those_of_openedx_events(
    event: tuple[OpenEdxPublicSignal, dict[str, Any]],
) -> None:
    signal, data = event
    text = text_of_openedx(signal)
    assume(text is not None)  # old versions refuse dicts
    codec = codec_for(signal)
    assert codec.schema == text
    assert codec.encode(data) == bytes_of_openedx(signal, data)


@MANY
@given(events(NEWER))
def test_random_data_is_encoded_like_fastavro_and_decoded_to_equal_data(
    event: tuple[OpenEdxPublicSignal, dict[str, Any]],
) -> None:
    signal, data = event
    codec = codec_for(signal)
    body = codec.encode(data)
    assert body == bytes_of_fastavro(codec.schema, data)
    assert same(codec.decoder(codec.schema)(body), data)


@given(st.data())
@pytest.mark.parametrize("signal", ENCODABLE, ids=lambda signal: signal.event_type)
def test_random_data_of_every_signal_is_encoded_and_decoded_to_equal_data(
    signal: OpenEdxPublicSignal, data: st.DataObject
) -> None:
    event_data = data.draw(data_of(signal))
    codec = codec_for(signal)
    body = codec.encode(event_data)
    assert body == bytes_of_openedx(signal, event_data)
    assert same(codec.decoder(codec.schema)(body), event_data)


@MANY
@given(misfit_events())
def test_an_invalid_value_is_named_by_its_path_and_not_quoted(
    event: tuple[OpenEdxPublicSignal, dict[str, Any], str],
) -> None:
    signal, data, path = event
    codec = codec_for(signal)
    with pytest.raises(SerializationError) as caught:
        codec.encode(data)
    assert f"{caught.value.field}.".startswith(f"{path}.")
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def example_of(annotation: Any) -> Any:
    return {list: list[int], dict: dict[str, int], None: UUID}.get(annotation, annotation)


@pytest.mark.parametrize(
    ("annotation", "wrong"),
    [(example_of(kind), wrong) for kind, wrongs in WRONG.items() for wrong in [*wrongs, None]],
    ids=lambda value: type(value).__name__,
)
def test_every_invalid_value_is_refused(annotation: Any, wrong: Any) -> None:
    codec = codec_for.__wrapped__(OpenEdxPublicSignal(event_type="test.wrong.v1", data={"value": annotation}))
    with pytest.raises(SerializationError) as caught:
        codec.encode({"value": wrong})
    assert caught.value.field == "value"
    assert SECRET not in str(caught.value)
