"""Stores dead letters on a topic, for services that have no table for them or prefer a topic."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import datetime
from itertools import chain
from queue import SimpleQueue
from time import monotonic

from event_bus_kafka.dead_letters import left_out
from event_bus_kafka.dead_letters.letter import LONGEST_TYPE, Failure, Letter, identity
from event_bus_kafka.errors import BrokerError, DeadLetterStoreFailed, DeserializationError, EventBusError
from event_bus_kafka.kafka.error_codes import meaning_of
from event_bus_kafka.kafka.producer import Delivered, Producer
from event_bus_kafka.telemetry.error_text import error_text
from event_bus_kafka.wire.records import ConsumerRecord, Headers, ProducerRecord

_HEADER = "dead_letter_"
_LAST_HEADER = f"{_HEADER}key"
"""Name of the last header that this package adds. All headers after it are original headers of the record."""
_CONFIRMED_WITHIN = 15.0
"""Seconds to wait for Kafka's confirmation; more than the time limit of the producer for a record."""


class TopicStore:
    """
    Stores dead letters as records on a topic. Such a record has the coordinates of the original record,
    ``topic:partition:offset``, as key, and the original value. Its headers are those of this package, then a header
    with the original key, then the original headers.

    ``connect`` makes the producer. It is called before the first dead letter, and again after a fatal error. Several
    lanes may use the store at the same time.
    """

    def __init__(self, topic: str, connect: Callable[[], Producer]) -> None:
        self._topic = topic
        self._connect = connect
        self._lock = threading.Lock()
        self._producer: Producer | None = None

    def store(self, letter: Letter) -> None:
        refusal: EventBusError | None = None
        for one in chain([letter], left_out.lighter(letter)):
            report = self._send(one)
            if isinstance(report, Delivered):
                if refusal:
                    left_out.tell(one, f"topic {self._topic} refuses it: {error_text(refusal)}")
                return
            refusal = refusal or report
            if not _is_refusal(report):
                break
        reason = error_text(refusal) if refusal else "Kafka did not confirm it"
        raise DeadLetterStoreFailed(f"topic {self._topic}: {reason}") from refusal

    def _send(self, letter: Letter) -> Delivered | EventBusError | None:
        """Send the letter and return Kafka's answer; None: no answer came in time."""
        producer = self._usable_producer()
        reports: SimpleQueue[Delivered | EventBusError] = SimpleQueue()
        deadline = monotonic() + _CONFIRMED_WITHIN
        try:
            producer.produce(to_record(letter, self._topic), reports.put)
        except BrokerError as error:
            return error
        while reports.empty() and monotonic() < deadline:
            producer.poll(0.1)
        report = None if reports.empty() else reports.get()
        if isinstance(report, BrokerError) and report.fatal:
            self._give_up(producer)
        return report

    def _usable_producer(self) -> Producer:
        """Return the producer that all lanes share; make a new one if its client has had a fatal error."""
        with self._lock:
            if self._producer is None or self._producer.failure:
                self._producer = self._connect()
            return self._producer

    def _give_up(self, producer: Producer) -> None:
        with self._lock:
            if self._producer is producer:  # another lane may have made a new one
                self._producer = None


def _is_refusal(report: Delivered | EventBusError | None) -> bool:
    return isinstance(report, BrokerError) and meaning_of(report.code).of_the_row


def to_record(letter: Letter, topic: str) -> ProducerRecord:
    """Return the Kafka record that stores a dead letter."""
    record = letter.record
    own = {
        "group": letter.group,
        "topic": record.topic,
        "partition": str(record.partition),
        "offset": str(record.offset),
        "timestamp": "" if record.timestamp is None else str(record.timestamp),
        "event_type": letter.event_type,
        "event_id": letter.event_id,
        "attempts": str(letter.attempts),
        "failed_at": letter.failed_at.isoformat(),
        "failures": json.dumps([_as_before(failure) for failure in letter.failures]),
        "attempts_of": json.dumps({failure.receiver: failure.attempts for failure in letter.failures}),
        "left_out": json.dumps(left_out.to_json(letter)),
    }
    headers: Headers = tuple((_HEADER + name, text.encode()) for name, text in own.items())
    return ProducerRecord(
        topic=topic,
        key=record.coordinates.encode(),
        value=record.value,
        headers=(*headers, (_LAST_HEADER, record.key), *record.headers),
    )


def from_record(record: ConsumerRecord) -> Letter:
    """
    Return the dead letter that a Kafka record stores. Raises :class:`DeserializationError` if the record is not a dead
    letter.
    """
    try:
        end = [name for name, _ in record.headers].index(_LAST_HEADER)
        own = {name.removeprefix(_HEADER): (value or b"").decode() for name, value in record.headers[:end]}
        original = ConsumerRecord(
            topic=own["topic"],
            partition=int(own["partition"]),
            offset=int(own["offset"]),
            timestamp=int(own["timestamp"]) if own["timestamp"] else None,
            key=record.headers[end][1],
            value=record.value,
            headers=record.headers[end + 1 :],
        )
        marks = left_out.from_json(json.loads(own.get("left_out", "null")))
        if not marks.keys() <= left_out.PARTS:
            raise ValueError
        event_type, event_id = _identity(own) if left_out.HEADERS in marks else identity(original)
        attempts_of = json.loads(own.get("attempts_of", "{}"))
        return Letter(
            group=own["group"],
            record=original,
            event_type=event_type,
            event_id=event_id,
            failures=tuple(_failure(one, attempts_of) for one in json.loads(own["failures"])),
            attempts=int(own["attempts"]),
            failed_at=datetime.fromisoformat(own["failed_at"]),
            left_out=marks,
        )
    except (AttributeError, KeyError, ValueError, TypeError, RecursionError):
        raise DeserializationError(f"record {record.coordinates} is not a dead letter of this package") from None


def _failure(found: dict[str, str], attempts_of: dict[str, int | None]) -> Failure:
    """
    Return the failure that ``found`` describes. Raises TypeError if a value has the wrong type. This is possible
    because any client may have written the record.
    """
    attempts = attempts_of.get(found["receiver"])
    if not all(isinstance(text, str) for text in found.values()) or not isinstance(attempts, int | None):
        raise TypeError
    return Failure(**found, attempts=attempts)


def _identity(own: dict[str, str]) -> tuple[str, str]:
    return own["event_type"][:LONGEST_TYPE], own["event_id"]


def _as_before(failure: Failure) -> dict[str, str]:
    """
    Return only the fields that the previous version of this package knows, because that version rejects a dead letter
    with further fields.
    """
    return {"receiver": failure.receiver, "error": failure.error, "place": failure.place}
