"""
Measures consuming with this package, edx-event-bus-kafka or a bare loop. A run is the whole life of a worker: from its
first connection until it has left the group.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
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
from benchmarks.measurements import BARE, OURS, PUBLISHED, Figures, Meter
from benchmarks.works.receivers import SLEEP, Receiver, Work, ready, stop
from event_bus_kafka.conf.client_options import consumer_options


def consume(
    *,
    variant: str,
    reads: Sequence[str],
    group: str,
    events: int,
    warm_up: int,
    receiver: str = "nothing",
    objects: int = 0,
) -> Figures:
    """
    Return the figures of a worker that consumes the events of the second topic in ``reads``. Before this, another
    worker consumes the first topic to warm up.

    ``objects``: number of objects that are created before the workers run. The benchmark does not exclude these objects
    from garbage collection, but a worker may exclude them.
    """
    heap = [_Loaded(number) for number in range(objects)]
    life, work = CONSUMERS[variant], ready(receiver)
    life(reads[0], group, warm_up, Meter(), work)
    gc.collect()
    meter = Meter()
    with meter.running():
        received = life(reads[1], group, events, meter, work)
    return {**meter.figures(received), "objects": len(heap)}


def consume_on_lanes(*, lanes: int, receiver: str, **arguments: Any) -> Figures:
    """
    Return the figures of :func:`consume`. If receivers sleep, also return the throughput in percent of the ideal
    throughput, at which no lane ever waits for an event.
    """
    figures = consume(variant=OURS, receiver=receiver, **arguments)
    return {**figures, "ideal": figures["rate"] / (lanes / SLEEP) * 100} if receiver == "sleep" else figures


class _Loaded:
    """
    An object whose attributes refer to other objects, like the objects that a service's modules create in large
    numbers.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.others = [self]


def ours(topic: str | Sequence[str], group: str, count: int, meter: Meter, work: Work | None) -> int:
    """Run this package's worker until its receiver stops it; return the number of events that the receiver got."""
    worker = event_bus_kafka.KafkaEventConsumer(topic, group)
    return _received(SIGNAL, worker, Receiver(count, meter, stop, work))


def published(topic: str, group: str, count: int, meter: Meter, work: Work | None) -> int:
    """Run the worker of edx-event-bus-kafka; return the number of events that the worker's receiver got."""
    worker = edx_event_bus_kafka.KafkaEventConsumer(topic, group)
    return _received(SIGNAL, worker, Receiver(count, meter, worker._shut_down, work))


def bare(topic: str, group: str, count: int, meter: Meter, work: Work | None) -> int:
    """
    Run a loop with the minimal cost of Kafka and Avro: fastavro decodes dicts, and a plain Django signal passes the
    dicts to a receiver. Return the number of events.
    """
    receiver = Receiver(count, meter, lambda: None, work)
    take = bare_dispatch(receiver)
    consumer = Consumer(consumer_options(group))
    consumer.subscribe([topic])
    while not receiver.count:
        for message in consumer.consume(500, 0.1):
            take(message.value() or b"")
        consumer.commit(asynchronous=True)
    consumer.close()
    return receiver.count


def bare_dispatch(receiver: Callable[..., None]) -> Callable[[bytes], None]:
    """
    Return a function that decodes a record's value to dicts and sends them to ``receiver`` by a plain Django signal.
    """
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


CONSUMERS: dict[str, Callable[[str, str, int, Meter, Work | None], int]] = {
    OURS: ours,
    PUBLISHED: published,
    BARE: bare,
}
