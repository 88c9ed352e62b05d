"""Sends certificates from this process or from another process."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.test import override_settings
from openedx_events.data import EventsMetadata
from openedx_events.learning.data import CertificateData
from openedx_events.learning.signals import CERTIFICATE_CREATED
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka import create_producer
from event_bus_kafka.producing.producer import KafkaEventProducer
from tests.projects.process import ServiceProcess
from tests.services.bus import Bus


@contextmanager
def own_producer() -> Iterator[KafkaEventProducer]:
    """
    Yield a producer. At the end, wait for its confirmations and close its clients.

    Otherwise the clients would exist until the end of the process, and would log that the brokers of earlier tests are
    unreachable.
    """
    others = threading.enumerate()
    producer = create_producer()
    yield producer
    producer.prepare_for_shutdown()
    clients = producer._connecting.clients
    assert clients is not None, "it has sent nothing"
    clients.retire()
    for thread in threading.enumerate():
        if thread.name == "event-bus-producer" and thread not in others:
            thread.join()
    clients.producer._client.close()
    clients.registry.close()


def send(
    bus: Bus,
    topic: str,
    *certificates: CertificateData,
    signal: OpenEdxPublicSignal = CERTIFICATE_CREATED,
    through: Mapping[str, Any] | None = None,
    **metadata: Any,
) -> None:
    """Send certificates from this process, with the user's id as key. ``through`` contains additional settings."""
    patience = {"EVENT_BUS_KAFKA_REGISTRY_TIMEOUT": 30, "EVENT_BUS_KAFKA_SEND_TIMEOUT": 30}
    haste = {"EVENT_BUS_KAFKA_POLL_INTERVAL_SEC": 0.01}
    with override_settings(**bus.settings(topic, **patience, **haste, **through or {})), own_producer() as producer:
        for one in certificates:
            producer.send(
                signal=signal,
                topic=topic,
                event_key_field="certificate.user.id",
                event_data={"certificate": one},
                event_metadata=EventsMetadata(event_type=signal.event_type, **metadata),
            )


SEND = """
import time
from openedx_events.learning.signals import CERTIFICATE_CREATED
from tests.support.examples_of import certificate
from tests.projects.certificates.apps import say
for user in {users}:
    CERTIFICATE_CREATED.send_event(certificate=certificate(user))
    say("sent", user=user)
"""


def sender(settings: dict[str, Any], users: list[int]) -> ServiceProcess:
    return ServiceProcess(code=SEND.format(users=users), settings=settings)
