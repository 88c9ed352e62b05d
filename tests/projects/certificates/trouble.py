"""Receivers that fail in ways that are told by the environment."""

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
    """Raise what RAISES names for the users that FAILING lists, run for SECONDS for others."""
    say("some", user=certificate.user.id, grade=certificate.grade)
    if certificate.user.id in _FAILING:
        raise _RAISES(certificate.user.pii.email)
    time.sleep(_SECONDS)


def endure(certificate: CertificateData, **_: object) -> None:
    """Run for SECONDS; say when, on a clock that all processes share."""
    say("begins", user=certificate.user.id, grade=certificate.grade, at=time.monotonic())
    time.sleep(_SECONDS)
    say("ends", user=certificate.user.id, grade=certificate.grade, at=time.monotonic())


def hang_for_some(certificate: CertificateData, **_: object) -> None:
    """Never return for the users that FAILING lists."""
    say("some", user=certificate.user.id)
    if certificate.user.id in _FAILING:
        time.sleep(3600)


def describe(certificate: CertificateData, **_: object) -> None:
    """Say how long the texts are."""
    say("describe", user=certificate.user.id, name=len(certificate.name), grade=certificate.grade)


def count(**_: object) -> None:
    """Say now and then how many events there were: lines cost more than events."""
    if (total := next(_total)) % 100 == 0:
        say("count", total=total)


def fail_until_mended(certificate: CertificateData, **_: object) -> None:
    """Fail for everybody until the file that GATE names exists."""
    say("tried", user=certificate.user.id, grade=certificate.grade, at=time.monotonic())
    if not Path(os.environ["GATE"]).exists():
        raise ValueError(certificate.user.pii.email)
    say("took", user=certificate.user.id, grade=certificate.grade)
