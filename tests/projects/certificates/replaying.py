"""
Receivers for tests that replay dead letters between live events. Most of them print a line when they start and a line
when they succeed.
"""

import os
import threading
import time
from pathlib import Path
from typing import Any

from openedx_events.learning.data import CertificateData

from tests.projects.certificates.apps import say

_at_once = threading.Lock()


def first(certificate: CertificateData, **_: Any) -> None:
    _take(certificate, "first")


def second(certificate: CertificateData, **_: Any) -> None:
    _take(certificate, "second")


def third(certificate: CertificateData, **_: Any) -> None:
    _take(certificate, "third")


def gated(certificate: CertificateData, **_: Any) -> None:
    """Wait until a certain file exists. The variable GATE contains its path."""
    say("begins", receiver="gated", user=certificate.user.id, grade=certificate.grade, at=time.time())
    while not Path(os.environ["GATE"]).exists():
        time.sleep(0.02)
    say("ends", receiver="gated", user=certificate.user.id, grade=certificate.grade, at=time.time())


def mended(certificate: CertificateData, **_: Any) -> None:
    """Fail until a certain file exists. The variable MENDED contains its path."""
    if not Path(os.environ["MENDED"]).exists():
        raise ValueError(certificate.user.pii.email)
    _take(certificate, "mended")


def refuse(certificate: CertificateData, **_: Any) -> None:
    say("refused", user=certificate.user.id)
    raise ValueError(certificate.user.pii.email)


def leave(certificate: CertificateData, **_: Any) -> None:
    say("left", user=certificate.user.id)
    raise SystemExit


def alone(certificate: CertificateData, **_: Any) -> None:
    """
    Print ``alone``, or ``at once`` if this receiver already runs in another thread. A worker with one lane must never
    print ``at once``.
    """
    if not _at_once.acquire(blocking=False):
        say("at once")
        return
    time.sleep(0.002)
    _at_once.release()
    say("alone", user=certificate.user.id)


def _take(certificate: CertificateData, receiver: str) -> None:
    about = {"receiver": receiver, "user": certificate.user.id, "grade": certificate.grade}
    say("begins", **about, at=time.time())
    time.sleep(0.001)
    say("ends", **about, at=time.time())
