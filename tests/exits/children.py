"""
Emits an event for each number on the command line. The first word of the command line selects the process that emits.
With ``none`` this process emits and ends immediately, like a management command. With ``atexit`` this process emits
while it ends. Any other word names a kind of child process that emits.
"""

import atexit
import os
import sys
import threading

late: list[int] = []


@atexit.register  # registered first, so it runs last
def emit_late() -> None:
    if late:
        threading.Thread.start = refuse  # type: ignore[method-assign, assignment] # like Python 3.12 and later
    for number in late:
        emit(number)


def refuse(_: object) -> None:
    raise RuntimeError("can't create new thread at interpreter shutdown")


import multiprocessing  # noqa: E402
from typing import Any  # noqa: E402

import django  # noqa: E402

django.setup()  # also in a spawned child

from django.db import connections  # noqa: E402
from openedx_events.event_bus import get_producer  # noqa: E402

from tests.exits.emitting import emit, emit_first  # noqa: E402 models need a configured Django


def emit_in_a_fork(number: int) -> None:
    """
    Emit in a forked child, as a daemon does. The child has inherited all objects of its parent, and ends normally.
    """
    child = os.fork()
    if child == 0:
        emit(number)
        retire()
        sys.exit()
    assert os.waitpid(child, 0)[1] == 0


def retire() -> None:
    """
    Make the producer retire its Kafka client, and wait until the client's thread has ended. Afterwards only the retired
    client remains in this process.
    """
    clients: Any = get_producer()._connecting.clients
    clients.producer.flush(60)
    clients.retire()
    for thread in threading.enumerate():
        if thread.name == "event-bus-producer":
            thread.join()


if __name__ == "__main__":
    way, numbers = sys.argv[1], [int(number) for number in sys.argv[2:]]
    emit_first()
    for number in numbers:
        if way == "none":
            emit(number)
        elif way == "atexit":
            get_producer()
            late.append(number)
        elif way == "os.fork":
            retire()
            emit_in_a_fork(number)
        else:
            context: Any = multiprocessing.get_context(way)
            child = context.Process(target=emit, args=(number,))
            child.start()
            child.join()
            assert child.exitcode == 0
    connections.close_all()
