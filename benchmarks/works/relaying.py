"""Relays an outbox until Kafka has confirmed the last row, or sends the same number of records with a bare producer."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import confluent_kafka
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS

from benchmarks.encoding import record_of
from benchmarks.events import KEY_FIELD, SIGNAL, samples
from benchmarks.measurements import Figures, Meter
from benchmarks.works.quiet import quiet_meter
from event_bus_kafka import create_producer
from event_bus_kafka.assembly.schema_registry import registry
from event_bus_kafka.conf.client_options import producer_options
from event_bus_kafka.wire.records import ProducerRecord

Relay = Callable[[str, int, Meter], None]
"""A function that sends a number of events to a topic. The meter starts when all events wait to be sent."""


def drain(*, bare: bool, topic: str, events: int, warm_up: int) -> Figures:
    """
    Return the figures of a relay that empties an outbox with ``events`` rows. With ``bare``, return the figures of a
    bare producer that sends the same number of prepared records.
    """
    run = bare_producer() if bare else relay()
    run(topic, warm_up, Meter())
    meter = quiet_meter()
    run(topic, events, meter)
    return meter.figures(events)


def relay() -> Relay:
    """Return a function that runs a relay of the default database, and nothing else."""
    call_command("migrate", verbosity=0)
    from event_bus_kafka.assembly.relaying import relay_steps
    from event_bus_kafka.models import OutboxRecord

    steps = relay_steps(DEFAULT_DB_ALIAS, ExitStack())

    def drain(topic: str, count: int, meter: Meter) -> None:
        create_producer().send_many(signal=SIGNAL, topic=topic, event_key_field=KEY_FIELD, events=samples(count))
        if OutboxRecord.objects.count() != count:
            raise RuntimeError("The outbox does not hold the backlog.")
        with meter.running():
            while OutboxRecord.objects.exists():
                steps.step()

    return drain


def bare_producer() -> Relay:
    """Return a function that sends prepared records with Kafka's client alone."""
    producer = confluent_kafka.Producer(producer_options())
    schemas = registry()

    def produce(topic: str, count: int, meter: Meter) -> None:
        records = [record_of(topic, sample, schemas) for sample in samples(count)]
        with meter.running():
            for record in records:
                _produce(producer, record)
                producer.poll(0)
            producer.flush()

    return produce


def _produce(producer: confluent_kafka.Producer, record: ProducerRecord) -> None:
    while True:
        try:
            return producer.produce(record.topic, key=record.key, value=record.value, headers=dict(record.headers))
        except BufferError:
            producer.poll(0.05)
