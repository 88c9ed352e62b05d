"""Receivers of a service that keeps what a compacted topic has; ``keep`` is connected by name, the other here."""

from typing import Any

from django.dispatch import receiver
from openedx_events.learning.data import CertificateData

from event_bus_kafka import record_deleted
from tests.projects.certificates.apps import say


def keep(certificate: CertificateData, **_: Any) -> None:
    say("kept", user=certificate.user.id, grade=certificate.grade)


@receiver(record_deleted)
def drop(topic: str, key: int, **_: Any) -> None:
    say("dropped", user=key, topic=topic)
