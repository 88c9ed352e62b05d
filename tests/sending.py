"""A producer of this process that ends with its test."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from event_bus_kafka import create_producer
from event_bus_kafka.producing.producer import KafkaEventProducer


@contextmanager
def own_producer() -> Iterator[KafkaEventProducer]:
    """
    Give a producer; at the end wait for what it has sent, and close its clients.

    They live as long as their process, which else would report at its end that the brokers of the tests are gone.
    """
    others = threading.enumerate()
    producer = create_producer()
    yield producer
    producer.prepare_for_shutdown()
    clients = producer._clients
    assert clients is not None, "it has sent nothing"
    clients.retire()
    for thread in threading.enumerate():
        if thread.name == "event-bus-producer" and thread not in others:
            thread.join()
    clients.producer._client.close()
    clients.registry.close()
