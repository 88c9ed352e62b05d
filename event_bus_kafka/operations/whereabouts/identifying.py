"""Recognizes records and rows of the event that a search looks for."""

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
    """Return the headers, or the keys, by which a scan recognizes records of the event."""
    if question.event_id is not None:
        return Sought(headers=frozenset(("ce_id", text.encode()) for text in _spellings(question.event_id)))
    key = question.key or ""
    return Sought(keys=encodings(key) | {key.encode()})


def encodings(key: str) -> frozenset[bytes]:
    """
    Return the Avro encodings, without schema id, that a key with this plain text may have. The text is encoded as a
    string. If it looks like a number or a truth value, it is also encoded as a long, double or boolean.
    """
    return frozenset(_encodings(key))


class KeyCheck:
    """
    Checks whether keys, decoded by their writer's schema, equal ``key``. The registry is asked until its first error;
    from then on, all keys count as equal.
    """

    def __init__(self, key: str, registry: SchemaIds) -> None:
        self._key = Wanted(key=key)
        self._registry = registry
        self.failure: SchemaRegistryError | None = None
        """The error of the registry; None: the registry has not failed."""

    def passes(self, record: ConsumerRecord) -> bool:
        """
        Whether a record has the key, according to the key's writer's schema. ``record``: found by a scan with
        :func:`sought`. After an error of the registry, True for each record.
        """
        if self.failure is not None:
            return True
        try:
            return self._key.fits(record, self._registry)
        except SchemaRegistryError as error:
            self.failure = error
            return True


def _spellings(event_id: UUID) -> Iterator[str]:
    """Yield the forms in which clients write an event id. This package writes the first form."""
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
