"""
Names from version 1.44.0 of OpenTelemetry's semantic conventions for messaging, errors and CloudEvents. They are copied
here because OpenTelemetry's package moves and renames the messaging names, which are not stable.
"""

from __future__ import annotations

from typing import Literal

SCHEMA_URL = "https://opentelemetry.io/schemas/1.44.0"

MESSAGING_SYSTEM = "messaging.system"
OPERATION_NAME = "messaging.operation.name"
OPERATION_TYPE = "messaging.operation.type"
DESTINATION_NAME = "messaging.destination.name"
PARTITION_ID = "messaging.destination.partition.id"
"""Name of the attribute for the partition. Its value is a text, although Kafka's partitions are numbers."""
CONSUMER_GROUP_NAME = "messaging.consumer.group.name"
MESSAGE_ID = "messaging.message.id"
BATCH_MESSAGE_COUNT = "messaging.batch.message_count"
"""Name of the attribute for the number of records. Spans of a single event lack this attribute."""
KAFKA_OFFSET = "messaging.kafka.offset"
KAFKA_TOMBSTONE = "messaging.kafka.message.tombstone"
"""Name of an attribute that is True on spans of tombstones, and that no other span has."""
EVENT_TYPE = "cloudevents.event_type"
ERROR_TYPE = "error.type"

EXCEPTION = "exception"
"""Name of the span event that records a failure."""
EXCEPTION_TYPE = "exception.type"
EXCEPTION_MESSAGE = "exception.message"

KAFKA = "kafka"
"""Value of ``messaging.system``."""
SEND, PROCESS = "send", "process"
"""Names of operations. The attribute for the operation's type has the same value."""

Kind = Literal["INTERNAL", "PRODUCER", "CONSUMER"]
"""Kinds of spans: PRODUCER for sending, CONSUMER for processing a record, INTERNAL for a receiver."""
Attributes = dict[str, str | int | bool]


def messaging(operation: str, topic: str) -> Attributes:
    """Return the attributes of all spans for an operation on a topic (full name)."""
    return {MESSAGING_SYSTEM: KAFKA, OPERATION_NAME: operation, OPERATION_TYPE: operation, DESTINATION_NAME: topic}
