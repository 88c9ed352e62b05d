"""Decides whether a record, or a row, is the event that is searched for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from uuid import UUID

from event_bus_kafka.errors import SchemaRegistryError
from event_bus_kafka.kafka.scanner import Sought
from event_bus_kafka.operations.records import Wanted
from event_bus_kafka.operations.whereabouts.answer import Question
from event_bus_kafka.wire import binary
from event_bus_kafka.wire.records import ConsumerRecord
from event_bus_kafka.wire.serde import SchemaIds


def sought(question: Question) -> Sought:
    """Return the headers or keys, as bytes, that a record of the event may have."""
    if question.event_id is not None:
        return Sought(headers=frozenset(("ce_id", text.encode()) for text in _spellings(question.event_id)))
    key = question.key or ""
    return Sought(keys=encodings(key) | {key.encode()})


def encodings(key: str) -> frozenset[bytes]:
    """Return the Avro, without a frame, of each value that is written so in plain text: text, number, truth value."""
    return frozenset(_encodings(key))


class KeyCheck:
    """Compares keys in plain text, as their writers' schemas have them; while the registry is away, bytes decide."""

    def __init__(self, key: str, registry: SchemaIds) -> None:
        self._key = Wanted(key=key)
        self._registry = registry
        self.failure: SchemaRegistryError | None = None
        """Why the registry could not be asked."""

    def passes(self, record: ConsumerRecord) -> bool:
        """Whether a record, whose bytes fit, has the key. Raises nothing; a registry that has failed is not asked."""
        if self.failure is not None:
            return True
        try:
            return self._key.fits(record, self._registry)
        except SchemaRegistryError as error:
            self.failure = error
            return True


def _spellings(event_id: UUID) -> Iterator[str]:
    """Yield the forms in which other clients write ids; ours is the first."""
    for text in (str(event_id), event_id.hex, event_id.urn, f"{{{event_id}}}"):
        yield from (text, text.upper())


def _encodings(key: str) -> Iterator[bytes]:
    yield binary.string(key)
    with suppress(ValueError, OverflowError):
        if str(int(key)) == key:
            yield binary.long(int(key))
    with suppress(ValueError):
        if str(float(key)) == key:
            yield binary.double(float(key))
    if key in ("True", "False"):
        yield binary.boolean(key == "True")
