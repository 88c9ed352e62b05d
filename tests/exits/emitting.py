"""What every way of running a service does: emit events, each with a number of its own and the id of its process."""

import os

from openedx_events.learning.signals import CERTIFICATE_CREATED

from tests.support.examples_of import certificate


def emit(number: int) -> None:
    CERTIFICATE_CREATED.send_event(certificate=certificate(number, grade=str(os.getpid())))
    print(f"emitted {number};", flush=True)


def emit_first() -> None:
    """Emit what EMIT_FIRST says: where the application is loaded before a fork, before that."""
    _emit_all("EMIT_FIRST")


def emit_last() -> None:
    """Emit what EMIT_LAST says."""
    _emit_all("EMIT_LAST")


def _emit_all(name: str) -> None:
    for number in filter(None, os.environ.get(name, "").split(",")):
        emit(int(number))
