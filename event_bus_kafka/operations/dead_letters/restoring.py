"""Restores the parts of large records that are missing in dead letters, by reading the records from Kafka again."""

from __future__ import annotations

import threading
from collections.abc import Callable

from event_bus_kafka.dead_letters import left_out
from event_bus_kafka.errors import BrokerError
from event_bus_kafka.kafka.error_codes import meaning_of
from event_bus_kafka.kafka.reader import Reader
from event_bus_kafka.models import DeadLetter
from event_bus_kafka.trouble import Trouble
from event_bus_kafka.wire.records import ConsumerRecord


class Originals:
    """
    Returns the original records of dead letters, one at a time. Reads a record from Kafka if the letter was stored
    without some of its parts. ``connect`` creates a reader for a consumer group.
    """

    def __init__(self, connect: Callable[[str], Reader]) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._reader: Reader | None = None

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()

    def record_of(self, letter: DeadLetter) -> ConsumerRecord:
        """
        Return the letter's original record, byte for byte. Kafka is asked only if the letter lacks parts.

        Raises :class:`CannotRestore` if Kafka no longer has the record, or has another record at its coordinates.
        Raises :class:`BrokerError` if Kafka does not answer.
        """
        stored = letter.record
        missing = left_out.missing(stored, left_out.from_json(letter.marks))
        if not missing:
            return stored
        with self._lock:
            return left_out.restored(stored, missing, self._read(letter, list(missing)))

    def _read(self, letter: DeadLetter, parts: list[str]) -> ConsumerRecord | None:
        if self._reader is None:
            self._reader = self._connect(letter.group)
        reader, partition = self._reader, (letter.topic, letter.partition)
        try:
            there = reader.range_of(partition, timeout=reader.timeout)
            return reader.record_at(partition, letter.offset) if there.start <= letter.offset < there.end else None
        except BrokerError as error:
            if meaning_of(error.code).trouble is Trouble.MISSING:
                raise left_out.cannot_restore(letter.record.coordinates, parts, "its topic is gone") from error
            raise
