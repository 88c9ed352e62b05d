"""
The operations whose instructions are counted, without Kafka: encoding and framing an event, and processing a prepared
record. ``variant`` is one of :data:`benchmarks.measurements.VARIANTS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any

import edx_event_bus_kafka
from confluent_kafka import Message

from benchmarks.encoding import BareEncoder, published_record, record_of
from benchmarks.events import SIGNAL, fixed_samples
from benchmarks.measurements import BARE, ENCODE, OURS, PROCESS, PUBLISHED
from benchmarks.works.consuming import bare_dispatch
from event_bus_kafka.assembly.consuming import guarded, processor
from event_bus_kafka.assembly.dead_letter_stores import store_for
from event_bus_kafka.assembly.observing import observe_events
from event_bus_kafka.assembly.schema_registry import registry
from event_bus_kafka.consuming.progress import PartitionProgress
from event_bus_kafka.kafka.messages import to_record
from event_bus_kafka.telemetry import flush_observers
from event_bus_kafka.telemetry.health import Health, Obstacle

Work = Callable[[int], Callable[[], object]]
"""A function that prepares a number of events, and returns a function that encodes or processes all of them."""
_TOPIC, _GROUP = "counted", "counters"
_CREATED = 1, 1_767_225_600_000
"""The timestamp of all records: its type, and milliseconds since the epoch."""


class Receiver:
    """A receiver that only counts its calls."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, **_: Any) -> None:
        self.count += 1


def works(variant: str, receiver: Receiver) -> dict[str, Work]:
    """Return the work of each operation. Processed events are sent to ``receiver``."""
    encode, process = {
        OURS: (_encode_ours, _process_ours),
        PUBLISHED: (_encode_published, _process_published),
        BARE: (_encode_bare, _process_bare),
    }[variant]
    return {ENCODE: encode(), PROCESS: process(receiver)}


def _encode_ours() -> Work:
    schemas = registry()
    return lambda count: _each(lambda sample: record_of(_TOPIC, sample, schemas), fixed_samples(count))


def _encode_published() -> Work:
    return lambda count: _each(lambda sample: published_record(_TOPIC, sample), fixed_samples(count))


def _encode_bare() -> Work:
    encoder = BareEncoder(_TOPIC, registry())
    return lambda count: _each(lambda ready: encoder.encode(*ready), map(encoder.ready, fixed_samples(count)))


def _process_ours(receiver: Receiver) -> Work:
    """Return a work that processes each record once, with a processor like the one in a worker."""
    observe_events()
    SIGNAL.connect(receiver, weak=False)
    receiving = processor(_GROUP, store_for(_GROUP), registry())
    receiving = guarded(receiving, Health(Obstacle.NO_ASSIGNMENT, silent_after=60.0), ExitStack())

    def ready(count: int) -> Callable[[], None]:
        partition = PartitionProgress(_TOPIC, 0)
        run = _each(receiving.process, [partition.take(to_record(message)) for message in _messages(count)])

        def settled() -> None:
            run()
            flush_observers()  # like the polling thread between two polls

        return settled

    return ready


class _PublishedWorker(edx_event_bus_kafka.KafkaEventConsumer):  # type: ignore[misc]
    """The worker of edx-event-bus-kafka in its own loop. It gets prepared messages instead of messages from Kafka."""

    def __init__(self, messages: list[Message]) -> None:
        self._messages = iter(messages)
        super().__init__(_TOPIC, _GROUP)

    def _create_consumer(self) -> _PublishedWorker:
        return self

    def subscribe(self, topics: list[str]) -> None:
        pass

    def poll(self, timeout: float) -> Message | None:
        message = next(self._messages, None)
        if message is None:
            self._shut_down()
        return message

    def commit(self, message: Message) -> None:
        pass

    def close(self) -> None:
        pass


def _process_published(receiver: Receiver) -> Work:
    SIGNAL.connect(receiver, weak=False)
    return lambda count: _PublishedWorker(_messages(count)).consume_indefinitely


def _process_bare(receiver: Receiver) -> Work:
    take = bare_dispatch(receiver)
    return lambda count: _each(take, [message.value() for message in _messages(count)])


def _each(work: Callable[[Any], object], ready: Iterable[Any]) -> Callable[[], None]:
    ready = list(ready)

    def run() -> None:
        for one in ready:
            work(one)

    return run


def _messages(count: int) -> list[Message]:
    schemas = registry()
    records = [record_of(_TOPIC, sample, schemas) for sample in fixed_samples(count)]
    return [
        Message(
            topic=_TOPIC,
            partition=0,
            offset=offset,
            key=record.key,
            value=record.value,
            headers=list(dict(record.headers).items()),
            timestamp=_CREATED,
        )
        for offset, record in enumerate(records)
    ]
