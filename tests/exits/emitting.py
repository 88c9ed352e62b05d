"""Emits events, for all ways to run a service. Each event has a unique number and the id of its process."""

import os

from openedx_events.learning.signals import CERTIFICATE_CREATED

from tests.support.examples_of import certificate


def emit(number: int) -> None:
    CERTIFICATE_CREATED.send_event(certificate=certificate(number, grade=str(os.getpid())))
    print(f"emitted {number};", flush=True)


def emit_first() -> None:
    """
    Emit the numbers in EMIT_FIRST. Called when the application is loaded, for servers that then fork: before the fork.
    """
    _emit_all("EMIT_FIRST")


def emit_last() -> None:
    """Emit the numbers in EMIT_LAST. Called when the process ends."""
    _emit_all("EMIT_LAST")


def _emit_all(name: str) -> None:
    for number in filter(None, os.environ.get(name, "").split(",")):
        emit(int(number))
