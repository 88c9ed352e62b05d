"""
Measures sending with this package, edx-event-bus-kafka or a bare loop, from prepared event data to Kafka's confirmation
of the last event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import edx_event_bus_kafka
from confluent_kafka import Producer
from openedx_events.event_bus import EventBusProducer

import event_bus_kafka
from benchmarks.encoding import BareEncoder
from benchmarks.events import KEY_FIELD, SIGNAL, Sample, certificate, samples
from benchmarks.measurements import BARE, OURS, PUBLISHED, Figures
from benchmarks.works.quiet import quiet_meter
from event_bus_kafka.assembly.schema_registry import registry
from event_bus_kafka.conf.client_options import producer_options
from event_bus_kafka.wire.cloudevents import to_headers

_KEPT = 1_000
"""Maximum number of learners whose certificates are kept for further events."""
Send = Callable[[str, list[Sample]], Callable[[], None]]
"""
A function that prepares the sending of events to a topic. It returns a function that sends the events and waits until
Kafka has confirmed all of them.
"""


def send(*, variant: str, topic: str, events: int, warm_up: int) -> Figures:
    """Return the figures of sending ``events`` events."""
    ready = SENDERS[variant]()
    ready(topic, samples(warm_up))()
    run = ready(topic, samples(events))
    meter = quiet_meter()
    with meter.running():
        run()
    return meter.figures(events)


def fill(*, topics: Mapping[str, tuple[int, int]]) -> Figures:
    """
    Send events to topics. ``topics``: topic → number of events and number of learners. Each event is created just
    before it is sent, since all events together might not fit into memory.
    """
    producer, made = event_bus_kafka.create_producer(), lru_cache(_KEPT)(certificate)
    for topic, (events, learners) in topics.items():
        for number in range(events):
            producer.send(
                signal=SIGNAL,
                topic=topic,
                event_key_field=KEY_FIELD,
                event_data=made(number % learners),
                event_metadata=SIGNAL.generate_signal_metadata(),
            )
    producer.prepare_for_shutdown()
    return {"topics": len(topics)}


def ours() -> Send:
    """Return a function that calls ``producer.send``, like openedx-events' handler."""
    return _through(event_bus_kafka.create_producer())


def published() -> Send:
    """Return a function that calls ``send`` of edx-event-bus-kafka's producer."""
    return _through(edx_event_bus_kafka.create_producer())


def bare() -> Send:
    """
    Return a function that sends at the minimal cost of Kafka and Avro. It sends the same bytes as this package, with
    the same client options. fastavro encodes prepared dicts, and the headers are prepared.
    """
    producer, schemas = Producer(producer_options()), registry()

    def ready(topic: str, samples: list[Sample]) -> Callable[[], None]:
        encoder = BareEncoder(topic, schemas)
        records: list[tuple[Any, ...]] = [
            (*encoder.ready((data, metadata)), [*to_headers(metadata, str(metadata.id))])
            for data, metadata in samples  # made in advance, so not measured
        ]

        def send() -> None:
            for number, value, headers in records:
                key_bytes, value_bytes = encoder.encode(number, value)
                producer.produce(topic, key=key_bytes, value=value_bytes, headers=headers)
                producer.poll(0)
            producer.flush()

        return send

    return ready


def _through(producer: EventBusProducer) -> Send:
    def ready(topic: str, samples: list[Sample]) -> Callable[[], None]:
        def send() -> None:
            for data, metadata in samples:
                producer.send(
                    signal=SIGNAL, topic=topic, event_key_field=KEY_FIELD, event_data=data, event_metadata=metadata
                )
            producer.prepare_for_shutdown()

        return send

    return ready


SENDERS: dict[str, Callable[[], Any]] = {OURS: ours, PUBLISHED: published, BARE: bare}
