"""If the service has a tracing provider, a send has a span, and rows of the outbox contain the trace context."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.test import override_settings
from openedx_events.data import EventsMetadata
from openedx_events.learning.signals import CERTIFICATE_CREATED
from opentelemetry import trace
from pytest_django import DjangoDbBlocker

from event_bus_kafka import create_producer
from event_bus_kafka.models import OutboxRecord
from event_bus_kafka.producing.producer import KafkaEventProducer
from event_bus_kafka.telemetry.events import EventRejected
from event_bus_kafka.wire.headers import unpack
from tests.services.bus import CREATED
from tests.support.direct import AWAY
from tests.support.examples_of import certificate
from tests.support.outbox_service import KEY_FIELD
from tests.support.recording import Ended, context_of, recorded, traceparent_of
from tests.support.sqlite import on_sqlite
from tests.support.watching import watched

SETTINGS: dict[str, Any] = {
    "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": AWAY,
    "EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": f"http://{AWAY}",
    "EVENT_BUS_TOPIC_PREFIX": "prod",
    "EVENT_BUS_PRODUCER_MODE": "outbox",
    "EVENT_BUS_PRODUCER_CONFIG": {CREATED: {"t": {"event_key_field": KEY_FIELD, "enabled": True}}},
}
Batch = list[tuple[dict[str, Any], EventsMetadata]]


@pytest.fixture
def producer(tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[KafkaEventProducer]:
    with django_db_blocker.unblock(), on_sqlite(tmp_path, "default"), override_settings(**SETTINGS):
        yield create_producer()


@pytest.fixture
def ended() -> Iterator[Ended]:
    with recorded() as ended:
        yield ended


def send(producer: KafkaEventProducer, data: Any = None) -> EventsMetadata:
    metadata = EventsMetadata(event_type=CREATED)
    producer.send(
        signal=CERTIFICATE_CREATED,
        topic="t",
        event_key_field=KEY_FIELD,
        event_data={"certificate": data or certificate(7)},
        event_metadata=metadata,
    )
    return metadata


def rows() -> list[dict[str, bytes | None]]:
    return [dict(unpack(bytes(row.headers))) for row in OutboxRecord.objects.order_by("pk")]


def test_a_row_of_the_outbox_has_the_trace_context_of_its_send_span(producer: KafkaEventProducer, ended: Ended) -> None:
    with trace.get_tracer("web").start_as_current_span("view"), transaction.atomic():
        metadata = send(producer)
    span, view = ended()["send prod-t"], ended()["view"]
    assert [row["traceparent"] for row in rows()] == [traceparent_of(span)]
    assert (span.parent, span.kind, span.status.is_unset) == (context_of(view), trace.SpanKind.PRODUCER, True)
    assert span.attributes == {
        "messaging.system": "kafka",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": "prod-t",
        "messaging.message.id": str(metadata.id),
        "cloudevents.event_type": CREATED,
    }


def test_each_call_of_send_many_and_send_tombstone_has_a_send_span(producer: KafkaEventProducer, ended: Ended) -> None:
    batch: Batch = [({"certificate": certificate(user)}, EventsMetadata(event_type=CREATED)) for user in (1, 2)]
    producer.send_many(signal=CERTIFICATE_CREATED, topic="t", event_key_field=KEY_FIELD, events=batch)
    together = ended()["send prod-t"]
    assert together.attributes is not None
    assert together.attributes["messaging.batch.message_count"] == 2
    with recorded() as ended_later:
        producer.send_tombstone(signal=CERTIFICATE_CREATED, topic="t", key=7)
    deletion = ended_later()["send prod-t"]
    assert deletion.attributes is not None
    assert deletion.attributes["messaging.kafka.message.tombstone"] is True
    assert [row["traceparent"] for row in rows()] == [traceparent_of(span) for span in (together, together, deletion)]


def test_a_send_span_has_an_error_status_if_its_event_cannot_be_sent(
    producer: KafkaEventProducer, ended: Ended
) -> None:
    with watched(EventRejected) as told:
        send(producer, "learner@example.com")
    span = ended()["send prod-t"]
    assert (len(told), span.status.status_code) == (1, trace.StatusCode.ERROR)
    assert "learner" not in span.to_json()


def test_no_trace_headers_are_added_without_a_tracing_provider(producer: KafkaEventProducer) -> None:
    send(producer)
    producer.send_many(
        signal=CERTIFICATE_CREATED,
        topic="t",
        event_key_field=KEY_FIELD,
        events=[({"certificate": certificate(1)}, EventsMetadata(event_type=CREATED))],
    )
    assert [row.keys() & {"traceparent", "tracestate"} for row in rows()] == [set(), set()]
