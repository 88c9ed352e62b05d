"""Consuming, by each variant: a worker's whole life, from its first connection until it has left the group."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from io import BytesIO
from typing import Any

import edx_event_bus_kafka
import fastavro
from confluent_kafka import Consumer
from django.dispatch import Signal
from openedx_events.event_bus.avro.deserializer import AvroSignalDeserializer

import event_bus_kafka
from benchmarks.encoding import FRAME
from benchmarks.events import SIGNAL
from benchmarks.measurements import BARE, OURS, PUBLISHED, Meter
from event_bus_kafka.conf.client_options import consumer_options


class Receiver:
    """Does nothing but count; ends the worker after so many events."""

    def __init__(self, count: int, meter: Meter, end: Callable[[], object]) -> None:
        self.count = 0
        self._last = count
        self._meter = meter
        self._end = end

    def __call__(self, **_: Any) -> None:
        if self.count == 0:
            self._meter.begin()  # joining a group takes seconds of waiting, which say nothing of the speed
        self.count += 1
        if self.count == self._last:
            self._meter.end()
            self._end()


def ours(topic: str, group: str, count: int, meter: Meter) -> int:
    """The worker, ended as its host ends it; return how many events its receiver got."""
    worker = event_bus_kafka.KafkaEventConsumer(topic, group)
    return _received(SIGNAL, worker, Receiver(count, meter, lambda: os.kill(os.getpid(), signal.SIGTERM)))


def published(topic: str, group: str, count: int, meter: Meter) -> int:
    """The worker of edx-event-bus-kafka."""
    worker = edx_event_bus_kafka.KafkaEventConsumer(topic, group)
    return _received(SIGNAL, worker, Receiver(count, meter, worker._shut_down))


def bare(topic: str, group: str, count: int, meter: Meter) -> int:
    """What Kafka and Avro alone cost: dicts from fastavro, to a receiver of a plain Django signal."""
    receiver = Receiver(count, meter, lambda: None)
    take = bare_dispatch(receiver)
    consumer = Consumer(consumer_options(group))
    consumer.subscribe([topic])
    while receiver.count < count:
        for message in consumer.consume(500, 0.1):
            take(message.value() or b"")
        consumer.commit(asynchronous=True)
    consumer.close()
    return receiver.count


def bare_dispatch(receiver: Callable[..., None]) -> Callable[[bytes], None]:
    """Return what decodes a record's value to dicts and sends these to the receiver, by a plain Django signal."""
    schema = fastavro.parse_schema(AvroSignalDeserializer(SIGNAL).schema)
    plain = Signal()
    plain.connect(receiver, weak=False)

    def take(value: bytes) -> None:
        arguments: Any = fastavro.schemaless_reader(BytesIO(value[FRAME.size :]), schema, None)
        plain.send(sender=None, **arguments)

    return take


def _received(signal: Any, worker: Any, receiver: Receiver) -> int:
    signal.connect(receiver)
    worker.consume_indefinitely()
    signal.disconnect(receiver)
    return receiver.count


CONSUMERS: dict[str, Callable[[str, str, int, Meter], int]] = {OURS: ours, PUBLISHED: published, BARE: bare}
