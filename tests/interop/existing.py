"""
The parts of the published edx-event-bus-kafka that the tests need. After use, producers are flushed, and consumers and
clients of the registry are closed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from confluent_kafka import Message
from edx_event_bus_kafka.internal.config import get_schema_registry_client
from edx_event_bus_kafka.internal.consumer import KafkaEventConsumer
from edx_event_bus_kafka.internal.producer import create_producer
from edx_event_bus_kafka.internal.utils import _get_metadata_from_headers
from openedx_events.data import EventsMetadata
from openedx_events.event_bus import EventBusProducer
from openedx_events.tooling import OpenEdxPublicSignal


@contextmanager
def existing_producer() -> Iterator[EventBusProducer]:
    """Yield a producer of the existing package that uses the current settings."""
    with _registry():
        producer = create_producer()
        yield producer
        producer.prepare_for_shutdown()


class ExistingReader:
    """Runs the steps that a worker of the existing package runs before it calls receivers."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer

    def signal(self, message: Message) -> OpenEdxPublicSignal:
        return self._consumer.determine_signal(message)

    def data(self, message: Message, signal: OpenEdxPublicSignal) -> dict[str, Any]:
        data: dict[str, Any] = self._consumer._deserialize_message_value(message, signal)
        return data

    def metadata(self, message: Message) -> EventsMetadata:
        return _get_metadata_from_headers(message.headers())


@contextmanager
def existing_reader() -> Iterator[ExistingReader]:
    """Yield a reader that uses the current settings."""
    with _registry():
        consumer = KafkaEventConsumer("any", "existing-reader")
        yield ExistingReader(consumer)
        consumer.consumer.close()


@contextmanager
def _registry() -> Iterator[None]:
    client = get_schema_registry_client()  # one per process and settings
    try:
        yield
    finally:
        get_schema_registry_client.cache_clear()
        client.__exit__(None, None, None)
