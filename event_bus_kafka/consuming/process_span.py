"""The span of one attempt at a record, with a link to the producer's span for sending the record."""

from __future__ import annotations

from event_bus_kafka.shown import label
from event_bus_kafka.telemetry.tracing import NoSpan, open_span
from event_bus_kafka.telemetry.tracing.conventions import (
    CONSUMER_GROUP_NAME,
    EVENT_TYPE,
    KAFKA_OFFSET,
    KAFKA_TOMBSTONE,
    MESSAGE_ID,
    PARTITION_ID,
    PROCESS,
    messaging,
)
from event_bus_kafka.wire.records import ConsumerRecord

_NAMED = ((MESSAGE_ID, "ce_id"), (EVENT_TYPE, "ce_type"))


def process_span(record: ConsumerRecord, group: str, *, is_child: bool) -> NoSpan:
    """
    Return the span of an attempt at ``record``. ``group`` is empty outside of workers. ``is_child``: whether the
    producer's span is the parent. The span does not contain the key, which is event data.
    """
    attributes = messaging(PROCESS, record.topic)
    attributes |= {PARTITION_ID: str(record.partition), KAFKA_OFFSET: record.offset}
    if group:
        attributes[CONSUMER_GROUP_NAME] = group
    if record.value is None:
        attributes[KAFKA_TOMBSTONE] = True
    headers = dict(record.headers)
    for attribute, header in _NAMED:
        if value := headers.get(header):
            attributes[attribute] = label(value.decode(errors="replace"))
    return open_span(f"{PROCESS} {record.topic}", "CONSUMER", attributes, carried_by=record.headers, is_child=is_child)
