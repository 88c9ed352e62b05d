"""
Names of OpenTelemetry's semantic conventions for messaging, errors and CloudEvents, as of version 1.44.0. They are
spelt here because the messaging names are not stable: the package that has them moves and renames them.
"""

from __future__ import annotations

from typing import Literal

SCHEMA_URL = "https://opentelemetry.io/schemas/1.44.0"

MESSAGING_SYSTEM = "messaging.system"
OPERATION_NAME = "messaging.operation.name"
OPERATION_TYPE = "messaging.operation.type"
DESTINATION_NAME = "messaging.destination.name"
PARTITION_ID = "messaging.destination.partition.id"
"""A text, though Kafka's partitions are numbers."""
CONSUMER_GROUP_NAME = "messaging.consumer.group.name"
MESSAGE_ID = "messaging.message.id"
BATCH_MESSAGE_COUNT = "messaging.batch.message_count"
"""Not on spans of one event."""
KAFKA_OFFSET = "messaging.kafka.offset"
KAFKA_TOMBSTONE = "messaging.kafka.message.tombstone"
"""True, or absent."""
EVENT_TYPE = "cloudevents.event_type"
ERROR_TYPE = "error.type"

EXCEPTION = "exception"
"""Name of the event on a span that failed."""
EXCEPTION_TYPE = "exception.type"
EXCEPTION_MESSAGE = "exception.message"

KAFKA = "kafka"
"""Value of ``messaging.system``."""
SEND, PROCESS = "send", "process"
"""Names of operations, and their types."""

Kind = Literal["INTERNAL", "PRODUCER", "CONSUMER"]
"""Kinds of spans: PRODUCER for the sender, CONSUMER for a record's processing, INTERNAL for a receiver."""
Attributes = dict[str, str | int | bool]


def messaging(operation: str, topic: str) -> Attributes:
    """Return the attributes that all spans of an operation on a topic (full name) have."""
    return {MESSAGING_SYSTEM: KAFKA, OPERATION_NAME: operation, OPERATION_TYPE: operation, DESTINATION_NAME: topic}
