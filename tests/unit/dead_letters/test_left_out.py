"""
If a store refuses parts of a dead letter, the letter is stored without these parts, and a mark says so. Missing parts
of the record can be restored while Kafka still has the record (case C8).
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import attrs
import pytest

from event_bus_kafka.dead_letters import left_out
from event_bus_kafka.dead_letters.left_out import lighter, missing, restored
from event_bus_kafka.dead_letters.letter import Failure, LeftOut, Letter
from event_bus_kafka.errors import CannotRestore
from event_bus_kafka.wire.records import ConsumerRecord
from tests.unit.dead_letters.test_letter import letter, record


def changed(of: ConsumerRecord, **changes: Any) -> ConsumerRecord:
    return ConsumerRecord(**attrs.asdict(of, recurse=False) | changes)  # type: ignore[arg-type]


def without(part: str) -> Letter:
    return next(one for one in lighter(letter(record())) if set(one.left_out) == {part})


def test_c8_leaving_one_part_out_of_a_letter_is_tried_before_leaving_out_several_parts() -> None:
    assert [tuple(one.left_out) for one in lighter(letter(record()))] == [
        ("value",),
        ("headers",),
        ("texts",),
        ("value", "headers"),
        ("value", "headers", "key"),
        ("value", "headers", "key", "texts"),
    ]


def test_c8_an_empty_part_of_a_letter_is_not_marked_as_left_out() -> None:
    tombstone = letter(record(value=None, headers=(), key=b""))
    (only,) = lighter(tombstone)
    assert tuple(only.left_out) == ("texts",)
    assert only.record == tombstone.record, "a tombstone stays one"


def test_c8_size_and_hash_are_stored_in_place_of_a_part_that_is_left_out() -> None:
    reduced = without("value")
    assert reduced.record == changed(record(), value=b"")
    assert reduced.left_out == {"value": LeftOut(size=6, sha256=sha256(b"\0value").hexdigest())}
    nothing = list(lighter(letter(record())))[-1]
    assert (nothing.record.value, nothing.record.key, nothing.record.headers) == (b"", b"", ())
    assert [(one.receiver, one.error, one.place) for one in nothing.failures] == [("", "", "")]
    assert (nothing.event_id, nothing.event_type) == (letter(record()).event_id, letter(record()).event_type)


def test_c8_a_letter_whose_texts_are_left_out_has_empty_errors_and_an_event_type_in_ascii() -> None:
    failures = (Failure(receiver="lms.award", error="ValueError: 🎓", place="x.py", attempts=3),)
    told = attrs.evolve(letter(record()), failures=failures, event_type="naïve 🎓")
    reduced = next(one for one in lighter(told) if tuple(one.left_out) == ("texts",))
    assert reduced.failures == (Failure(receiver="lms.award", error="", attempts=3),)
    assert reduced.event_type == "na?ve ?"
    assert reduced.record == told.record


def test_c8_parts_that_were_left_out_are_restored_from_kafka_byte_for_byte() -> None:
    for reduced in lighter(letter(record())):
        marks = left_out.from_json(left_out.to_json(reduced))
        assert marks == dict(reduced.left_out)
        lacking = missing(reduced.record, marks)
        assert restored(reduced.record, lacking, record()) == record()


@pytest.mark.parametrize("part", ["value", "headers", "key"])
def test_c8_restoring_a_part_from_a_different_record_is_refused(part: str) -> None:
    reduced = without(part) if part != "key" else list(lighter(letter(record())))[-1]
    other = changed(record(), value=b"\0valuE", headers=record().headers[::-1], key=b"other")
    with pytest.raises(CannotRestore, match="another record is there: the topic was created anew"):
        restored(reduced.record, dict(missing(reduced.record, dict(reduced.left_out))), other)


def test_c8_restoring_a_part_from_a_deleted_record_is_refused_with_a_reason() -> None:
    reduced = without("value")
    with pytest.raises(
        CannotRestore, match=r"t:3:\d+: parts missing in its dead letter \(value\) .* the record was deleted there"
    ):
        restored(reduced.record, dict(reduced.left_out), None)


def test_a_part_does_not_count_as_missing_if_an_older_version_of_the_package_stored_it_again() -> None:
    """
    The part was marked as left out. Then an older version of the package stored the part, and did not remove the mark.
    """
    assert missing(record(), dict(without("value").left_out)) == {}


def test_headers_with_equal_bytes_and_different_boundaries_have_different_hashes() -> None:
    def mark(*headers: tuple[str, bytes | None]) -> str:
        return next(
            one.left_out["headers"].sha256
            for one in lighter(letter(record(headers=headers)))
            if "headers" in one.left_out
        )

    assert (
        len({mark(("a", b"bc")), mark(("ab", b"c")), mark(("a", b"b"), ("c", b"")), mark(("a", None), ("bc", b""))})
        == 4
    )
