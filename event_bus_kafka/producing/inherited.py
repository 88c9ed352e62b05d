"""
Prevents the destruction of all clients in a process: its own clients and, after a fork, the unusable copies of its
parent's clients.

Destroying a copy would wait for threads that exist only in the parent, or crash. Destroying an own client at the end of
the process may take long if DNS does not answer.
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
All clients that must not be destroyed. They include clients that nothing uses any more: a copy may be garbage that is
not collected yet.
"""


def remember(clients: ProcessClients) -> None:
    _all.add(ref(clients, _all.discard))


def own_clients() -> list[ProcessClients]:
    """Return the clients that this process has made."""
    return [clients for clients in _alive() if clients.pid == os.getpid()]


def keep_parents_clients() -> None:
    """Keep this child process from destroying its parent's clients."""
    for clients in _alive():
        if clients.pid != os.getpid():
            keep_for_ever(clients)


def keep_for_ever(clients: ProcessClients) -> None:
    """Keep an object alive as long as the process, even while the interpreter ends."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(clients))


def _alive() -> list[ProcessClients]:
    return [clients for clients in [one() for one in tuple(_all)] if clients is not None]
