"""
Prevents the destruction of two kinds of clients: the process's own clients and, after a fork, the unusable copies of
its parent's clients.

The destruction of a copy would crash, or wait for threads that exist only in the parent. The destruction of an own
client at the end of the process takes long if DNS does not answer.
"""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING
from weakref import ref

if TYPE_CHECKING:
    from event_bus_kafka.producing.clients import ProcessClients

_all: set[ref[ProcessClients]] = set()
"""
Weak references to all clients in this process, including copies of a parent's clients. Clients that nothing uses any
more are included until they are garbage-collected.
"""


def remember(clients: ProcessClients) -> None:
    _all.add(ref(clients, _all.discard))


def own_clients() -> list[ProcessClients]:
    """Return the clients that this process has made."""
    return [clients for clients in _alive() if clients.pid == os.getpid()]


def keep_parents_clients() -> None:
    """Prevent this child process from destroying the clients of its parent process."""
    for clients in _alive():
        if clients.pid != os.getpid():
            keep_for_ever(clients)


def keep_for_ever(clients: ProcessClients) -> None:
    """Keep ``clients`` from being destroyed before the process has ended, even at the interpreter's end."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(clients))


def _alive() -> list[ProcessClients]:
    return [clients for clients in [one() for one in tuple(_all)] if clients is not None]
