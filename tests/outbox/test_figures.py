"""
These tests compare the costs of the outbox with the costs of alternatives. They assert counts, and only print times.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import cycle, islice
from statistics import median, quantiles
from time import perf_counter, sleep, time
from typing import Any

import confluent_kafka
import psutil
import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import connections, transaction
from django.test import override_settings
from openedx_events.data import EventsMetadata
from openedx_events.learning.signals import CERTIFICATE_CREATED

from event_bus_kafka import create_producer
from event_bus_kafka.assembly.relaying import relay_steps
from event_bus_kafka.models import OutboxRecord
from event_bus_kafka.telemetry import observe, unobserve
from event_bus_kafka.telemetry.events import LifecycleEvent, RecordDelivered
from event_bus_kafka.wire import serde
from event_bus_kafka.wire.records import Event
from tests.services.bus import CREATED, header
from tests.support.databases import Database
from tests.support.examples_of import certificate
from tests.support.outbox_service import KEY_FIELD, Service, until
from tests.support.scale import scaled

pytestmark = [pytest.mark.real, pytest.mark.long, pytest.mark.timeout(3600)]


def events(count: int) -> Iterator[tuple[dict[str, Any], EventsMetadata]]:
    for number in range(count):
        yield {"certificate": certificate(number % 1_000)}, EventsMetadata(event_type=CREATED)


def raw_rate(service: Service, count: int) -> float:
    """
    Return how many records per second a producer without an outbox sends. It sends the same records as the outbox, and
    waits until Kafka has confirmed them.
    """
    found = service.arrived(min(count, 20_000))
    records: list[Any] = [(record.value(), record.key(), record.headers()) for record in found]
    options = {"bootstrap.servers": service.bus.bootstrap_servers, "enable.idempotence": True, "linger.ms": 5}
    producer = confluent_kafka.Producer(options)
    producer.list_topics()
    confirmed: list[object] = []
    began = perf_counter()
    for value, key, headers in islice(cycle(records), count):
        while True:
            try:
                producer.produce(
                    service.topic, value, key, headers=headers, on_delivery=lambda error, _: confirmed.append(error)
                )
                break
            except BufferError:
                producer.poll(0.05)
        producer.poll(0)
    producer.flush()
    seconds = perf_counter() - began
    assert confirmed == [None] * count
    return count / seconds


def drain_rate(service: Service, count: int) -> tuple[float, list[float]]:
    """Return how many events per second a relay process sends, and its memory in megabytes at several times."""
    ahead = service.bus.end_of(service.topic)
    create_producer().send_many(
        signal=CERTIFICATE_CREATED, topic=service.topic, event_key_field=KEY_FIELD, events=events(count)
    )
    assert service.waiting == count
    sizes: list[float] = []
    with service.relay_process(EVENT_BUS_KAFKA_AUDIT_LOGGING_ENABLED=False) as relay:
        relay.wait_for_log("Running relay")
        until(lambda: service.waiting < count, step=lambda: sleep(0.001))  # raw_rate is also connected first
        first, began = service.waiting, perf_counter()

        def look() -> None:
            sizes.append(psutil.Process(relay.pid).memory_info().rss / 2**20)
            sleep(0.1)

        look()
        # counting would use CPU time of the relay, and from the first row on InnoDB reads all rows not purged yet
        until(lambda: not OutboxRecord.objects.order_by("-pk")[:1], step=look)
        rate = first / (perf_counter() - began)
        assert relay.stop() == 0
    assert service.bus.end_of(service.topic) == ahead + count
    return rate, sizes


def test_case_40_a_large_backlog_is_drained_and_the_rate_and_memory_of_the_relay_are_printed(
    service: Service, database: Database
) -> None:
    count = scaled(3_000, long=100_000)
    drain_rate(service, count // 2)  # not used: the broker still compiles its code
    rate, sizes = drain_rate(service, count)
    raw = median(
        raw_rate(service, count) for _ in range(scaled(1, long=5))
    )  # several measurements, because each takes only about a second
    print(
        f"{database.vendor}: {rate:,.0f}/s, raw {raw:,.0f}/s: {rate / raw:.2f} ×; MB {sizes[0]:.0f} … {max(sizes):.0f}"
    )


def test_the_cost_of_an_event_in_a_request_is_printed(service: Service, database: Database) -> None:
    count = scaled(200, long=3_000)
    samples, producer = list(events(count)), create_producer()

    def append(number: int) -> None:
        data, metadata = samples[number]
        producer.send(
            signal=CERTIFICATE_CREATED,
            topic=service.topic,
            event_key_field=KEY_FIELD,
            event_data=data,
            event_metadata=metadata,
        )

    def encode(number: int) -> None:
        data, metadata = samples[number]
        event = Event(signal=CERTIFICATE_CREATED, data=data, metadata=metadata)
        serde.encode(event, topic=service.topic, key_field=KEY_FIELD)

    append(0)
    costs = {"append": 0.0, "encode": 0.0, "create": 0.0}
    works: dict[str, Callable[[int], object]] = {
        "append": append,
        "encode": encode,
        "create": lambda number: ContentType.objects.create(app_label="cost", model=str(number)),
    }
    with transaction.atomic():
        for number in range(count):  # alternately: a machine that gets slower affects all alike
            for name, work in works.items():
                began = perf_counter()
                work(number)
                costs[name] += (perf_counter() - began) / count * 1e6
    assert service.waiting == count + 1
    ratio = (costs["append"] - costs["encode"]) / costs["create"]
    figures = ", ".join(f"{name} {cost:.0f} µs" for name, cost in costs.items())
    print(f"{database.vendor}: {figures}: {ratio:.2f} × a plain create() beside the encoding")


@pytest.mark.parametrize("notify", [False, True])
def test_the_delay_of_an_event_through_an_idle_relay_is_printed(
    service: Service, database: Database, notify: bool
) -> None:
    count = scaled(5, long=100)
    committed: dict[str, float] = {}
    told: dict[str, float] = {}

    def arrived(event: LifecycleEvent) -> None:
        if isinstance(event, RecordDelivered):
            told[event.event_id] = time() * 1000

    with override_settings(EVENT_BUS_KAFKA_RELAY_NOTIFY=notify), relay_in_a_thread():
        observe(arrived)
        try:
            for data, metadata in events(count):
                sleep(0.13)
                with transaction.atomic():
                    create_producer().send(
                        signal=CERTIFICATE_CREATED,
                        topic=service.topic,
                        event_key_field=KEY_FIELD,
                        event_data=data,
                        event_metadata=metadata,
                    )
                committed[str(metadata.id)] = time() * 1000
            until(lambda: len(told) == count)
        finally:
            unobserve(arrived)
    records: list[Any] = service.arrived(count)
    produced = {header(record, "ce_id"): record.timestamp()[1] for record in records}
    for what, times in {"until it is produced": produced, "until its row is removed": told}.items():
        waited = [times[event_id] - committed[event_id] for event_id in committed]
        p95 = quantiles(waited, n=20)[-1]
        print(f"{database.vendor}, notify {notify}: median {median(waited):.1f} ms, p95 {p95:.1f} ms {what}")


@contextmanager
def relay_in_a_thread() -> Iterator[None]:
    entry, stop = connections["default"], threading.Event()
    relay = relay_steps("default", ExitStack())

    def run() -> None:
        connections["default"] = entry.copy()
        while not stop.is_set():
            relay.step()
        relay.stop(timeout=1)
        connections["default"].close()

    thread = threading.Thread(target=run)
    thread.start()
    sleep(0.5)
    try:
        yield
    finally:
        stop.set()
        thread.join(60)
