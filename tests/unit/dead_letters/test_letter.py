"""A dead letter contains the exact bytes of its record. Its errors contain no event data."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka.consuming.offset_metadata import OffsetMetadata
from event_bus_kafka.dead_letters.letter import Failure, Letter
from event_bus_kafka.dead_letters.topic_store import from_record, to_record
from event_bus_kafka.dispatching.dispatch import dispatch, failure_of, receivers_of
from event_bus_kafka.errors import DeserializationError, ReceiversFailed, UnreadableValue
from event_bus_kafka.models import from_json, to_json
from event_bus_kafka.wire.records import ConsumerRecord, Event, Headers
from tests.services.bus import CREATED

SECRET = "learner@example.com"
EVENT_ID = "12345678-1234-5678-1234-567812345678"
ODD: Headers = (("twice", b"1"), ("twice", b"2"), ("null", None), ("bytes", b"\xff\x00"), ("nul", b"a\x00"), ("", b""))


def record(**changes: Any) -> ConsumerRecord:
    values: dict[str, Any] = {
        "topic": "t",
        "partition": 3,
        "offset": 2**40,
        "timestamp": 1_700_000_000_000,
        "key": b"\x00\xff",
        "value": b"\x00value",
        "headers": (("ce_type", CREATED.encode()), ("ce_id", EVENT_ID.encode()), *ODD),
    }
    return ConsumerRecord(**values | changes)


def letter(of: ConsumerRecord) -> Letter:
    return Letter.of(of, group="g", error=UnreadableValue("too short"), attempts=5)


@pytest.mark.parametrize(
    "changes", [{}, {"key": None}, {"key": b""}, {"value": b""}, {"timestamp": None}, {"headers": ()}]
)
def test_a_dead_letter_written_to_a_topic_is_read_unchanged(changes: dict[str, Any]) -> None:
    sent = letter(record(**changes))
    carried = to_record(sent, "g.dead-letters")
    assert carried.key == f"t:3:{2**40}".encode()
    assert isinstance(carried.headers, tuple)
    read = ConsumerRecord(
        topic="g.dead-letters",
        partition=0,
        offset=9,
        timestamp=1,
        key=carried.key,
        value=carried.value,
        headers=carried.headers,
    )
    assert from_record(read) == sent


@pytest.mark.parametrize("headers", [(), (("dead_letter_group", b"g"),), (("dead_letter_key", b"\xff"),)])
def test_reading_a_record_without_the_headers_of_a_dead_letter_raises_a_deserialization_error(headers: Headers) -> None:
    with pytest.raises(DeserializationError, match="t:3:"):
        from_record(record(headers=headers))


@pytest.mark.parametrize(
    "changed",
    [
        {"failures": '[{"receiver": 5, "error": "", "place": ""}]'},
        {"failures": '[{"receiver": null, "error": "", "place": ""}]'},
        {"failures": '[{"receiver": "a", "error": {}, "place": ""}]'},
        {"failures": "[" * 200_000},
        {"failures": '[{"receiver": "a", "error": "", "place": ""}]', "attempts_of": '{"a": "many"}'},
        {"left_out": '{"topic": {"size": 1, "sha256": ""}}'},
    ],
)
def test_reading_a_dead_letter_with_malformed_json_in_its_headers_raises_a_deserialization_error(
    changed: dict[str, str],
) -> None:
    made = {"dead_letter_" + name: text.encode() for name, text in changed.items()}
    sent = to_record(letter(record()), "g.dead-letters").headers
    assert isinstance(sent, tuple)
    headers = tuple((name, made.get(name, value)) for name, value in sent)
    with pytest.raises(DeserializationError, match="t:3:"):
        from_record(record(headers=headers))


def test_headers_converted_to_json_and_back_are_unchanged() -> None:
    assert from_json(json.loads(json.dumps(to_json(ODD)))) == ODD


@pytest.mark.parametrize(
    ("headers", "identity"),
    [
        (record().headers, (CREATED, EVENT_ID)),
        ((("ce_type", CREATED.encode()),), (CREATED, "")),
        ((("ce_id", EVENT_ID.encode()),), ("", "")),
    ],
)
def test_the_event_type_and_event_id_of_a_dead_letter_come_from_its_headers_or_are_empty(
    headers: Headers, identity: tuple[str, str]
) -> None:
    made = letter(record(headers=headers))
    assert (made.event_type, made.event_id) == identity


def failing(**_: Any) -> None:
    raise ValueError(SECRET)


def test_a_failure_names_the_file_and_function_of_the_error_and_contains_no_event_data() -> None:
    signal = OpenEdxPublicSignal(event_type="test.failing.v1", data={"x": str})
    signal.connect(failing, dispatch_uid="mine")
    event = Event(signal=signal, data={"x": SECRET}, metadata=None)
    error = failure_of(dispatch(event, receivers_of(signal)))
    (failure,) = Letter.of(record(), group="g", error=error, attempts=1).failures
    assert failure.receiver == "tests.unit.dead_letters.test_letter.failing#mine"
    assert failure.error == "ValueError"
    assert "test_letter.py" in failure.place
    assert "in failing" in failure.place
    assert SECRET not in repr(failure)


def test_a_failure_contains_the_error_text_if_this_package_raised_the_error() -> None:
    assert letter(record()).failures == (Failure(receiver="", error="UnreadableValue: too short"),)
    assert letter(record()).failed_at <= datetime.now(UTC)


def test_each_failed_receiver_has_a_separate_failure_in_the_letter() -> None:
    error = ReceiversFailed(["a", "b"], [ValueError(), KeyError()])
    failures = Letter.of(record(), group="g", error=error, attempts=1).failures
    assert [(failure.receiver, failure.error) for failure in failures] == [("a", "ValueError"), ("b", "KeyError")]


# Metadata of committed offsets


def test_offset_metadata_omits_quarantined_offsets_before_the_position() -> None:
    marks = OffsetMetadata(frozenset({5, 9}))
    assert OffsetMetadata.read(marks.at(5)) == marks
    assert OffsetMetadata.read(marks.at(6)) == OffsetMetadata(frozenset({9}))
    assert marks.at(10) == ""


@pytest.mark.parametrize("metadata", [None, "", "{}", '{"taken": [5]}', "leader-epoch 5", "event-bus-kafka [5]"])
def test_offset_metadata_of_other_clients_is_not_read_as_a_quarantine_mark(metadata: str | None) -> None:
    """
    If a worker took the metadata of other clients for metadata of this package, it would skip records that nobody
    quarantined.
    """
    assert OffsetMetadata.read(metadata) == OffsetMetadata()
