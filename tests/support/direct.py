"""
A service that sends events directly to Kafka. If Kafka does not confirm an event, the event goes into the service's
outbox.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import attrs
from django.test import override_settings
from openedx_events.data import EventsMetadata
from openedx_events.event_bus import EventBusProducer
from openedx_events.learning.signals import CERTIFICATE_CREATED

from event_bus_kafka import create_producer
from event_bus_kafka.models import OutboxRecord
from event_bus_kafka.wire import serde
from event_bus_kafka.wire.headers import unpack
from event_bus_kafka.wire.records import EncodedEvent, Event
from tests.services.bus import CREATED
from tests.support.examples_of import certificate
from tests.support.outbox_service import KEY_FIELD, Service

AWAY = "127.0.0.1:9"
NO_REGISTRY = {"EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": f"http://{AWAY}"}


@attrs.frozen(kw_only=True)
class Sender:
    """A service's producer with a topic."""

    topic: str
    producer: EventBusProducer

    def send(self, user: int = 7, *, topic: str = "", metadata: EventsMetadata | None = None, **fields: Any) -> str:
        """Send an event; return its id."""
        metadata = metadata or EventsMetadata(event_type=CREATED)
        self.producer.send(
            signal=CERTIFICATE_CREATED,
            topic=topic or self.topic,
            event_key_field=KEY_FIELD,
            event_data={"certificate": certificate(user, **fields)},
            event_metadata=metadata,
        )
        return str(metadata.id)


@contextmanager
def sender(service: Service, **changes: Any) -> Iterator[Sender]:
    """
    Yield a producer in mode on-commit, unless ``changes`` select another mode. At the end, put unconfirmed events into
    the outbox.
    """
    with override_settings(**service.settings(EVENT_BUS_PRODUCER_MODE="on-commit") | changes):
        producer = create_producer()
        yield Sender(topic=service.topic, producer=producer)
        with override_settings(EVENT_BUS_KAFKA_DELIVERY_TIMEOUT=1):
            producer.prepare_for_shutdown()


def spilled(alias: str = "default") -> list[str]:
    """Return the ids of the events in an outbox in the order of their rows."""
    rows = OutboxRecord.objects.using(alias).order_by("pk").values_list("headers", flat=True)
    return [(dict(unpack(bytes(headers)))["ce_id"] or b"").decode() for headers in rows]


def encoded(topic: str, user: int = 7) -> EncodedEvent:
    """Return an encoded event, in the form in which the spill accepts events."""
    event = Event(
        signal=CERTIFICATE_CREATED,
        data={"certificate": certificate(user)},
        metadata=EventsMetadata(event_type=CREATED),
    )
    return serde.encode(event, topic=topic, key_field=KEY_FIELD)
