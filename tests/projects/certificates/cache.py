"""
Receivers of a service that caches a compacted topic. The receiver ``keep`` is connected if the variable RECEIVERS names
it. The receiver ``drop`` is connected when this module is imported.
"""

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
