"""The :class:`Event`, and the Kafka records that carry an event."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, NamedTuple

import attrs
from openedx_events.data import EventsMetadata
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka.frozen import cheap_frozen

Headers = tuple[tuple[str, bytes | None], ...]
HeadersByName = dict[str, bytes | None]
"""Headers as a dict, in the order of the record. Only possible if no name occurs twice."""


def size_of(headers: Headers) -> int:
    """Return the total number of bytes of all names and values."""
    return sum([len(name) + len(value or b"") for name, value in headers])


@cheap_frozen
class Event:
    """One event, as a service sends or receives it."""

    signal: OpenEdxPublicSignal
    """
    The signal of the event's type; for tombstones :data:`~event_bus_kafka.wire.deletion.record_deleted`, which has all
    attributes of an OpenEdxPublicSignal that this package uses.
    """
    data: dict[str, Any]
    """The event's data: one value per argument of the signal."""
    metadata: EventsMetadata
    id_as_read: str = ""
    """The text of the event's id, if the event was read from a record with a value; otherwise empty."""

    @property
    def event_id(self) -> str:
        """The text of the event's id."""
        return self.id_as_read or str(self.metadata.id)


@attrs.frozen
class SubjectSchema:
    """A schema, and the subject under which it is registered. Only the registry knows the schema's id."""

    subject: str
    schema: str
    """JSON text of the writer's schema, exactly as it is registered."""


@attrs.frozen(kw_only=True)
class Destination:
    """The properties that all events with the same signal, topic and key field share."""

    topic: str
    """The topic's full name, with the prefix."""
    event_type: str
    key: SubjectSchema
    value: SubjectSchema
    digest: str = attrs.field(init=False, eq=False, repr=False)
    """Hexadecimal SHA-256 of all other attributes; identifies the destination in databases."""

    @digest.default
    def _digest(self) -> str:
        contents = (self.topic, self.event_type, *attrs.astuple(self.key), *attrs.astuple(self.value))
        return sha256("\0".join(contents).encode()).hexdigest()


@cheap_frozen
class EncodedEvent:
    """An encoded event that lacks only the schema ids, because these need the network."""

    destination: Destination
    key: bytes
    """The key in Avro's encoding, without a schema id."""
    value: bytes | None
    """The value in Avro's encoding, without a schema id; None: the event is a tombstone."""
    headers: Headers
    event_id: str

    @property
    def names(self) -> dict[str, str]:
        """Topic, event type and event id, for lifecycle events."""
        return {
            "topic": self.destination.topic,
            "event_type": self.destination.event_type,
            "event_id": self.event_id,
        }


class ProducerRecord(NamedTuple):
    """A record to be handed to Kafka."""

    topic: str
    key: bytes
    value: bytes | None
    headers: Headers | HeadersByName


@cheap_frozen
class ConsumerRecord:
    """A record that was read from Kafka."""

    topic: str
    partition: int
    offset: int
    timestamp: int | None
    """The record's timestamp in milliseconds since the epoch; None if the broker sent none."""
    key: bytes | None
    value: bytes | None
    """The value; None: the record is a tombstone."""
    headers: Headers

    @property
    def coordinates(self) -> str:
        """``topic:partition:offset``, which identifies the record in logs and commands."""
        return f"{self.topic}:{self.partition}:{self.offset}"

    @property
    def size(self) -> int:
        """Bytes of key, value and headers."""
        return len(self.key or b"") + len(self.value or b"") + size_of(self.headers)
