"""
All clients that a process has, and keeps: its own, and the useless copies of its parent's.

To destroy a copy would wait for threads that only the parent has, or crash. To destroy one's own at the end of a
process may take long, where a name server does not answer.
"""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING
from weakref import ref

if TYPE_CHECKING:
    from event_bus_kafka.producing.clients import ProcessClients

_all: set[ref[ProcessClients]] = set()
"""All that are not destroyed, in use or not: a copy may be garbage that nobody has collected."""


def remember(clients: ProcessClients) -> None:
    _all.add(ref(clients, _all.discard))


def own_clients() -> list[ProcessClients]:
    """Return what this process has made."""
    return [clients for clients in _alive() if clients.pid == os.getpid()]


def keep_parents_clients() -> None:
    """See to it that this child destroys no client of its parent."""
    for clients in _alive():
        if clients.pid != os.getpid():
            keep_for_ever(clients)


def keep_for_ever(clients: ProcessClients) -> None:
    """See to it that it lives as long as the process, at the end of the interpreter too."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(clients))


def _alive() -> list[ProcessClients]:
    return [clients for clients in [one() for one in tuple(_all)] if clients is not None]
