"""Receivers of certificates. They print their actions on standard output, and some of them fail."""

import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import attrs
from django.db import transaction
from openedx_events.data import EventsMetadata
from openedx_events.learning.data import CertificateData
from openedx_events.learning.signals import CERTIFICATE_CREATED, CERTIFICATE_REVOKED
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka import is_replay
from tests.projects.certificates.apps import say

_calls: Counter[int] = Counter()


def note(certificate: CertificateData, metadata: EventsMetadata, **_: Any) -> None:
    say("note", user=certificate.user.id, grade=certificate.grade, metadata=attrs.asdict(metadata))


def whole(certificate: CertificateData, metadata: EventsMetadata, from_event_bus: bool, sender: Any, **_: Any) -> None:
    say("whole", data=repr(certificate), metadata=repr(metadata), from_event_bus=from_event_bus, sender=sender)


def replayed(certificate: CertificateData, **_: Any) -> None:
    say("replayed", user=certificate.user.id, is_replay=is_replay())


def fail_twice(certificate: CertificateData, **_: Any) -> None:
    """Fail at the first two attempts of each user."""
    user = certificate.user.id
    _calls[user] += 1
    say("fail_twice", user=user, attempt=_calls[user])
    if _calls[user] <= 2:
        raise ValueError(certificate.user.pii.email)


def fail_for_odd(certificate: CertificateData, **_: Any) -> None:
    say("fail_for_odd", user=certificate.user.id)
    if certificate.user.id % 2:
        raise ValueError(certificate.user.pii.email)


def fail(certificate: CertificateData, **_: Any) -> None:
    say("fail", user=certificate.user.id)
    raise ValueError(certificate.user.pii.email)


def slow(certificate: CertificateData, **_: Any) -> None:
    """Run for two seconds."""
    say("slow begins", user=certificate.user.id)
    time.sleep(2)
    say("slow ends", user=certificate.user.id)


def hang(certificate: CertificateData, **_: Any) -> None:
    say("hang", user=certificate.user.id)
    time.sleep(3600)


def leave(certificate: CertificateData, **_: Any) -> None:
    say("leave", user=certificate.user.id)
    sys.exit(7)


def revoke(certificate: CertificateData, signal: OpenEdxPublicSignal, **_: Any) -> None:
    """Emit an event for each certificate that was created."""
    if signal is CERTIFICATE_CREATED:
        CERTIFICATE_REVOKED.send_event(certificate=certificate)
        say("revoke", user=certificate.user.id)


def leave_for_odd(certificate: CertificateData, **_: Any) -> None:
    if certificate.user.id % 2:
        sys.exit(7)


def leave_transaction_open(certificate: CertificateData, **_: Any) -> None:
    transaction.atomic().__enter__()


def wait_for_file(certificate: CertificateData, **_: Any) -> None:
    """Fail until a certain file exists. The variable GATE contains its path."""
    say("gate", user=certificate.user.id)
    if not Path(os.environ["GATE"]).exists():
        raise ValueError("closed")
