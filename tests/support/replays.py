"""Receivers in this process, and a function that runs ``replay_events`` for these receivers."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Producer
from django.core.management import CommandError, call_command
from django.test import override_settings
from openedx_events.learning.signals import CERTIFICATE_CREATED, CERTIFICATE_REVOKED

from tests.services.bus import Bus
from tests.support.letters import record_of

NOTE, FAIL = f"{__name__}.note", f"{__name__}.fail_for_odd"
heard: list[int] = []


def note(certificate: Any, **_: Any) -> None:
    heard.append(certificate.user.id)


def fail_for_odd(certificate: Any, **_: Any) -> None:
    if certificate.user.id % 2:
        raise ValueError(certificate.user.pii.email)


@pytest.fixture(autouse=True)
def receivers() -> Iterator[None]:
    heard.clear()
    for signals in (CERTIFICATE_CREATED, CERTIFICATE_REVOKED):
        signals.connect(note)
    yield
    for signals in (CERTIFICATE_CREATED, CERTIFICATE_REVOKED):
        signals.disconnect(note)
        signals.disconnect(fail_for_odd)


def replay(bus: Bus, topic: str, *arguments: str) -> str:
    """Run ``replay_events``; return its output. If the command failed, the output includes the error."""
    output = io.StringIO()
    changes: dict[str, Any] = {
        "EVENT_BUS_KAFKA_REGISTRY_TIMEOUT": 30,
        "EVENT_BUS_KAFKA_UNKNOWN_EVENT_TYPES": "dead-letter",
    }
    with override_settings(**bus.settings(**changes)):
        try:
            call_command("replay_events", "-t", topic, *arguments, stdout=output, no_color=True)
        except CommandError as error:
            return f"{output.getvalue()}ended with {error.returncode}: {error}"
    return output.getvalue()


def put(bus: Bus, topic: str, user: int, *, at: int, partition: int = 0) -> None:
    """Write a certificate to a topic. ``at`` is the timestamp of the record in milliseconds since the epoch."""
    with override_settings(**bus.settings(EVENT_BUS_KAFKA_REGISTRY_TIMEOUT=30)):
        record = record_of(user)
    producer = Producer({"bootstrap.servers": bus.bootstrap_servers, "log_level": 0})
    producer.produce(topic, record.value, record.key, headers=list(record.headers), partition=partition, timestamp=at)
    assert producer.flush(30) == 0
