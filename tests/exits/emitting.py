"""
Emits the events of the services that tests/exits/ways.py runs. Each event contains a unique number and the id of the
process that emitted the event.
"""

import os

from openedx_events.learning.signals import CERTIFICATE_CREATED

from tests.support.examples_of import certificate


def emit(number: int) -> None:
    CERTIFICATE_CREATED.send_event(certificate=certificate(number, grade=str(os.getpid())))
    print(f"emitted {number};", flush=True)


def emit_first() -> None:
    """
    Emit an event for each number in the variable EMIT_FIRST. The application calls this function when it is loaded. If
    a server loads the application before it forks, these events are emitted before the fork.
    """
    _emit_all("EMIT_FIRST")


def emit_last() -> None:
    """
    Emit an event for each number in the variable EMIT_LAST. The application calls this function when its process ends.
    """
    _emit_all("EMIT_LAST")


def _emit_all(name: str) -> None:
    for number in filter(None, os.environ.get(name, "").split(",")):
        emit(int(number))
