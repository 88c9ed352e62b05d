"""Dead letters on a topic, for services without the table."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from queue import SimpleQueue
from time import monotonic

import attrs

from event_bus_kafka.dead_letters.letter import Failure, Letter, identity
from event_bus_kafka.errors import DeadLetterStoreFailed, DeserializationError, EventBusError
from event_bus_kafka.kafka.producer import Delivered, Producer
from event_bus_kafka.telemetry.error_text import error_text
from event_bus_kafka.wire.records import ConsumerRecord, Headers, ProducerRecord

_HEADER = "dead_letter_"
_CONFIRMED_WITHIN = 15.0
"""Seconds to wait for Kafka's confirmation; the producer's own time-out for a record is shorter."""


class TopicStore:
    """
    Dead letters on a topic: key ``topic:partition:offset``, the original value, and the original headers after ours.

    ``connect`` makes the producer, at the first dead letter.
    """

    def __init__(self, topic: str, connect: Callable[[], Producer]) -> None:
        self._topic = topic
        self._connect = connect
        self._producer: Producer | None = None

    def store(self, letter: Letter) -> None:
        if self._producer is None:
            self._producer = self._connect()
        reports: SimpleQueue[Delivered | EventBusError] = SimpleQueue()
        deadline = monotonic() + _CONFIRMED_WITHIN
        self._producer.produce(to_record(letter, self._topic), reports.put)
        while reports.empty() and monotonic() < deadline:
            self._producer.poll(0.1)
        report = None if reports.empty() else reports.get()
        if not isinstance(report, Delivered):
            reason = error_text(report) if report else "Kafka did not confirm it"
            raise DeadLetterStoreFailed(f"topic {self._topic}: {reason}") from report


def to_record(letter: Letter, topic: str) -> ProducerRecord:
    """Return the record that carries a dead letter on a topic."""
    record = letter.record
    own = {
        "group": letter.group,
        "topic": record.topic,
        "partition": str(record.partition),
        "offset": str(record.offset),
        "timestamp": "" if record.timestamp is None else str(record.timestamp),
        "attempts": str(letter.attempts),
        "failed_at": letter.failed_at.isoformat(),
        "failures": json.dumps([attrs.asdict(failure) for failure in letter.failures]),
    }
    headers: Headers = tuple((_HEADER + name, text.encode()) for name, text in own.items())
    return ProducerRecord(
        topic=topic,
        key=record.coordinates.encode(),
        value=record.value,
        headers=(*headers, (f"{_HEADER}key", record.key), *record.headers),
    )


def from_record(record: ConsumerRecord) -> Letter:
    """Return the dead letter that a record carries. Raises :class:`DeserializationError` if it carries none."""
    own = {name.removeprefix(_HEADER): value for name, value in record.headers if name.startswith(_HEADER)}
    try:
        key = own.pop("key")
        texts = {name: (value or b"").decode() for name, value in own.items()}
        original = ConsumerRecord(
            topic=texts["topic"],
            partition=int(texts["partition"]),
            offset=int(texts["offset"]),
            timestamp=int(texts["timestamp"]) if texts["timestamp"] else None,
            key=key,
            value=record.value,
            headers=tuple((name, value) for name, value in record.headers if not name.startswith(_HEADER)),
        )
        event_type, event_id = identity(original)
        return Letter(
            group=texts["group"],
            record=original,
            event_type=event_type,
            event_id=event_id,
            failures=tuple(Failure(**failure) for failure in json.loads(texts["failures"])),
            attempts=int(texts["attempts"]),
            failed_at=datetime.fromisoformat(texts["failed_at"]),
        )
    except (KeyError, ValueError, TypeError):
        raise DeserializationError(f"record {record.coordinates} is no dead letter of this package") from None
