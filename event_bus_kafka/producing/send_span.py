"""Opens the span of a send. The span's context is sent in the record's headers, also through the outbox."""

from __future__ import annotations

from uuid import UUID

from event_bus_kafka.telemetry.tracing import NoSpan, open_span
from event_bus_kafka.telemetry.tracing.conventions import (
    BATCH_MESSAGE_COUNT,
    EVENT_TYPE,
    KAFKA_TOMBSTONE,
    MESSAGE_ID,
    SEND,
    messaging,
)
from event_bus_kafka.wire.records import EncodedEvent


def in_trace(encoded: EncodedEvent, span: NoSpan) -> EncodedEvent:
    """Return the event with the span's context in its headers."""
    headers = span.headers
    if not headers:
        return encoded
    return EncodedEvent(
        destination=encoded.destination,
        key=encoded.key,
        value=encoded.value,
        headers=encoded.headers + headers,
        event_id=encoded.event_id,
    )


def send_span(
    topic: str, event_type: str, *, event_id: UUID | None = None, count: int = 0, is_tombstone: bool = False
) -> NoSpan:
    """
    Return the span for sending one event, or ``count`` events, to a topic (full name).

    The span ends when the caller continues: by then the event waits for its commit, in the outbox, or in the client's
    queue.
    """
    attributes = messaging(SEND, topic) | {EVENT_TYPE: event_type}
    if event_id is not None:
        attributes[MESSAGE_ID] = str(event_id)
    if count:
        attributes[BATCH_MESSAGE_COUNT] = count
    if is_tombstone:
        attributes[KAFKA_TOMBSTONE] = True
    return open_span(f"{SEND} {topic}", "PRODUCER", attributes)
