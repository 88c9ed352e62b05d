"""Sending, by each variant: from ready events to Kafka's confirmation of the last one."""

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
"""Learners whose certificates are made once."""
Send = Callable[[str, list[Sample]], Callable[[], None]]
"""Makes ready for a topic and events; what it returns sends them and waits until Kafka has confirmed all."""


def send(*, variant: str, topic: str, events: int, warm_up: int) -> Figures:
    """Return what sending so many events took."""
    ready = SENDERS[variant]()
    ready(topic, samples(warm_up))()
    run = ready(topic, samples(events))
    meter = quiet_meter()
    with meter.running():
        run()
    return meter.figures(events)


def fill(*, topics: Mapping[str, tuple[int, int]]) -> Figures:
    """
    Send events to topics, so many of so many learners to each; they are made one by one, since there may be more than
    memory is for.
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
    """``producer.send``, as openedx-events' handler calls it."""
    return _through(event_bus_kafka.create_producer())


def published() -> Send:
    """The same of edx-event-bus-kafka."""
    return _through(edx_event_bus_kafka.create_producer())


def bare() -> Send:
    """
    What Kafka and Avro alone cost, with the same bytes and client options: fastavro from ready dicts, ready headers.
    """
    producer, schemas = Producer(producer_options()), registry()

    def ready(topic: str, samples: list[Sample]) -> Callable[[], None]:
        encoder = BareEncoder(topic, schemas)
        records: list[tuple[Any, ...]] = [
            (*encoder.ready((data, metadata)), [*to_headers(metadata, str(metadata.id))])
            for data, metadata in samples  # made ready: not measured
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
