"""
Emits each of the numbers of its command line in a child process, made in the way that is named before them, or, with
``none``, in this process, which ends at once as a management command does, or, with ``atexit``, when it has ended.
"""

import atexit
import os
import sys
import threading

late: list[int] = []


@atexit.register  # before all others, so that it runs after them
def emit_late() -> None:
    if late:
        threading.Thread.start = refuse  # type: ignore[method-assign, assignment] # as Python does from 3.12 on
    for number in late:
        emit(number)


def refuse(_: object) -> None:
    raise RuntimeError("can't create new thread at interpreter shutdown")


import multiprocessing  # noqa: E402
from typing import Any  # noqa: E402

import django  # noqa: E402

django.setup()  # in a child that is spawned, too

from django.db import connections  # noqa: E402
from openedx_events.event_bus import get_producer  # noqa: E402

from tests.exits.emitting import emit, emit_first  # noqa: E402 models need a Django that is set up


def emit_in_a_fork(number: int) -> None:
    """As a daemon is made: the child ends by itself, and with it whatever it has of its parent."""
    child = os.fork()
    if child == 0:
        emit(number)
        retire()
        sys.exit()
    assert os.waitpid(child, 0)[1] == 0


def retire() -> None:
    """Let this process have a client that it has given up, and no other."""
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
