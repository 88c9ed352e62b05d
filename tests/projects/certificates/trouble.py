"""Receivers that fail in the ways that environment variables select."""

import builtins
import itertools
import os
import time
from pathlib import Path

from openedx_events.learning.data import CertificateData

from tests.projects.certificates.apps import say

_FAILING = frozenset(map(int, filter(None, os.environ.get("FAILING", "").split(","))))
_RAISES: type[BaseException] = getattr(builtins, os.environ.get("RAISES", "ValueError"))
_SECONDS = float(os.environ.get("SECONDS", "0"))
_total = itertools.count(1)


def fail_for_some(certificate: CertificateData, **_: object) -> None:
    """Raise the exception RAISES for the users that FAILING lists. For other users, return after SECONDS seconds."""
    say("some", user=certificate.user.id, grade=certificate.grade)
    if certificate.user.id in _FAILING:
        raise _RAISES(certificate.user.pii.email)
    time.sleep(_SECONDS)


def endure(certificate: CertificateData, **_: object) -> None:
    """Return after SECONDS seconds. Print the start time and the end time, by a clock that all processes share."""
    say("begins", user=certificate.user.id, grade=certificate.grade, at=time.monotonic())
    time.sleep(_SECONDS)
    say("ends", user=certificate.user.id, grade=certificate.grade, at=time.monotonic())


def hang_for_some(certificate: CertificateData, **_: object) -> None:
    """Never return for the users that FAILING lists."""
    say("some", user=certificate.user.id)
    if certificate.user.id in _FAILING:
        time.sleep(3600)


def describe(certificate: CertificateData, **_: object) -> None:
    """Print the lengths of the texts in a certificate."""
    say("describe", user=certificate.user.id, name=len(certificate.name), grade=certificate.grade)


def count(**_: object) -> None:
    """
    Count the events. Print the number only occasionally, because a print takes longer than the processing of an event.
    """
    if (total := next(_total)) % 100 == 0:
        say("count", total=total)


def fail_until_mended(certificate: CertificateData, **_: object) -> None:
    """Fail for all users until a certain file exists. The variable GATE contains its path."""
    say("tried", user=certificate.user.id, grade=certificate.grade, at=time.monotonic())
    if not Path(os.environ["GATE"]).exists():
        raise ValueError(certificate.user.pii.email)
    say("took", user=certificate.user.id, grade=certificate.grade)
