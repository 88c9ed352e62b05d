"""
Omits parts of a dead letter if a store refuses the whole letter for good. A mark in the letter describes each omitted
part, so that the part can be restored from Kafka.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any

import attrs

from event_bus_kafka.dead_letters.letter import LeftOut, Letter
from event_bus_kafka.errors import CannotRestore
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import DeadLetterReduced
from event_bus_kafka.wire.records import ConsumerRecord, Headers

VALUE, HEADERS, KEY, TEXTS = "value", "headers", "key", "texts"
PARTS = frozenset({VALUE, HEADERS, KEY, TEXTS})
_TRIED = (
    (VALUE,),
    (HEADERS,),
    (TEXTS,),
    (VALUE, HEADERS),
    (VALUE, HEADERS, KEY),
    (VALUE, HEADERS, KEY, TEXTS),
)
_LENGTH = struct.Struct(">q")


def lighter(letter: Letter) -> Iterator[Letter]:
    """Yield copies of the letter without some of its non-empty parts: first without one part, then without several."""
    seen: list[list[str]] = []
    for parts in _TRIED:
        there = [part for part in parts if _content(letter, part)]
        if there and there not in seen:
            seen.append(there)
            yield _without(letter, there)


def tell(letter: Letter, reason: str) -> None:
    """Emit DeadLetterReduced, which names the parts that a stored letter lacks, because the store refused them."""
    emit(
        DeadLetterReduced(
            topic=letter.record.topic,
            partition=letter.record.partition,
            offset=letter.record.offset,
            event_type=letter.event_type,
            event_id=letter.event_id,
            left_out=tuple((part, one.size) for part, one in letter.left_out.items()),
            reason=reason,
        )
    )


def to_json(letter: Letter) -> dict[str, Any] | None:
    """Return the marks of the letter's left-out parts as JSON values; None: no part was left out."""
    return {part: attrs.asdict(one) for part, one in letter.left_out.items()} or None


def from_json(marks: dict[str, Any] | None) -> dict[str, LeftOut]:
    """Return the marks from the result of :func:`to_json`."""
    return {part: LeftOut(size=int(one["size"]), sha256=str(one["sha256"])) for part, one in (marks or {}).items()}


def missing(record: ConsumerRecord, marks: dict[str, LeftOut]) -> dict[str, LeftOut]:
    """
    Return the marks of parts that a stored record lacks. A part may be stored in spite of its mark, because an older
    version of this package ignores marks and may have stored the part later.
    """
    return {part: mark for part, mark in marks.items() if part != TEXTS and not _bytes_of(record, part)}


def restored(stored: ConsumerRecord, marks: dict[str, LeftOut], there: ConsumerRecord | None) -> ConsumerRecord:
    """
    Return a record with its left-out parts, taken from ``there``, the record at the same coordinates in Kafka.

    Raises :class:`CannotRestore` if Kafka no longer has that record, or now has another record at these coordinates.
    """
    if there is None:
        raise cannot_restore(stored.coordinates, marks, "the record was deleted there")
    if any(_mark(_bytes_of(there, part)).sha256 != mark.sha256 for part, mark in marks.items()):
        raise cannot_restore(stored.coordinates, marks, "another record is there: the topic was created anew")
    return attrs.evolve(stored, **{part: getattr(there, part) for part in marks})  # type: ignore[misc]


def cannot_restore(coordinates: str, parts: Iterable[str], reason: str) -> CannotRestore:
    """Return an error that names the lost parts and says what to do."""
    return CannotRestore(
        f"{coordinates}: parts missing in its dead letter ({', '.join(parts)}) are not in Kafka any more: {reason}. "
        "Discard the dead letter, or have the sending service emit the event again"
    )


def _without(letter: Letter, parts: Iterable[str]) -> Letter:
    contents = {part: _content(letter, part) for part in parts}
    empty: dict[str, Any] = {part: () if part == HEADERS else b"" for part in contents if part != TEXTS}
    marks = dict(letter.left_out) | {part: _mark(content) for part, content in contents.items()}
    record = attrs.evolve(letter.record, **empty)  # type: ignore[misc]
    reduced = attrs.evolve(letter, record=record, left_out=marks)
    return _without_texts(reduced) if TEXTS in contents else reduced


def _without_texts(letter: Letter) -> Letter:
    return attrs.evolve(
        letter,
        event_type=letter.event_type.encode("ascii", "replace").decode(),
        failures=tuple(attrs.evolve(failure, error="", place="") for failure in letter.failures),
    )


def _content(letter: Letter, part: str) -> bytes:
    return _texts(letter) if part == TEXTS else _bytes_of(letter.record, part)


def _bytes_of(record: ConsumerRecord, part: str) -> bytes:
    return _packed(record.headers) if part == HEADERS else getattr(record, part) or b""


def _texts(letter: Letter) -> bytes:
    texts = [(failure.error, failure.place) for failure in letter.failures]
    kept = letter.event_type.isascii() and not any(map(any, texts))
    return b"" if kept else json.dumps([letter.event_type, *texts]).encode()


def _packed(headers: Headers) -> bytes:
    """Return the headers as bytes; different headers give different bytes."""
    parts = [part for name, value in headers for part in (name.encode("utf-8", "surrogatepass"), value)]
    return b"".join(_LENGTH.pack(-1 if part is None else len(part)) + (part or b"") for part in parts)


def _mark(content: bytes) -> LeftOut:
    return LeftOut(size=len(content), sha256=sha256(content).hexdigest())
