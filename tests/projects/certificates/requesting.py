"""Measures how long it takes to send an event in web requests that run in parallel."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from time import monotonic, sleep

from django.conf import settings
from openedx_events.event_bus import get_producer
from openedx_events.learning.signals import CERTIFICATE_CREATED

from event_bus_kafka.assembly import sending
from event_bus_kafka.assembly.schema_registry import registry
from event_bus_kafka.conf import settings as conf
from event_bus_kafka.producing.clients import ProcessClients
from event_bus_kafka.producing.producer import KafkaEventProducer
from event_bus_kafka.telemetry import observe
from event_bus_kafka.telemetry.events import EventSpilled, EventUndelivered, LifecycleEvent, RecordDelivered
from tests.projects.certificates.apps import say
from tests.support.direct import encoded
from tests.support.examples_of import certificate

THREADS, SENDS = 4, 10


def requests(send: Callable[[], object]) -> list[float]:
    """Send 40 times in total, from four threads. Return how many seconds each send takes, in ascending order."""
    took: list[float] = []

    def request() -> None:
        for _ in range(SENDS):
            began = monotonic()
            send()
            took.append(monotonic() - began)

    threads = [threading.Thread(target=request) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(took)


def producer_of(connect: Callable[[ProcessClients | None], ProcessClients]) -> KafkaEventProducer:
    return KafkaEventProducer(
        routing=sending._routing,
        limits=conf.settings,
        connect=connect,
        outbox=sending.outbox,
        spill=sending.spill,
        shutdown=sending.shutdown,
    )


def slow_producer() -> KafkaEventProducer:
    """Return a producer that takes a second to create each Kafka client."""

    def connect(former: ProcessClients | None) -> ProcessClients:
        sleep(1)
        return sending.process_clients(former)

    return producer_of(connect)


def no_token(_: str) -> None:
    raise OSError("the token endpoint is away")


def run(*, has_token: bool) -> None:
    """
    Print how long each send takes, and what happens to the events. If ``has_token`` is false, the token endpoint is
    unreachable.
    """
    encoded("t")  # the first event creates the codec and imports the registry's client
    registry().close()
    if not has_token:
        settings.EVENT_BUS_KAFKA_CLIENT_OPTIONS = login(no_token)
    ends: list[str] = []

    def note(event: LifecycleEvent) -> None:
        ends.append(type(event).__name__)

    observe(note, EventSpilled, EventUndelivered, RecordDelivered)
    took = requests(lambda: CERTIFICATE_CREATED.send_event(certificate=certificate()))
    get_producer().prepare_for_shutdown()
    say("requests", took=took, ends=Counter(ends))


def login(token: Callable[[str], object]) -> dict[str, object]:
    return {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "OAUTHBEARER", "oauth_cb": token}
