"""
What a child process inherits of its parent's clients: useless copies, which must not be destroyed.

To destroy one would wait for threads that only the parent has. At the end of a process it may take long too, where a
name server does not answer.
"""

from __future__ import annotations

import ctypes
import os
from typing import Protocol


class OfProcess(Protocol):
    """What belongs to one process."""

    @property
    def pid(self) -> int: ...


def keep_for_ever(clients: OfProcess) -> None:
    """See to it that it lives as long as the process, at the end of the interpreter too."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(clients))


def keep_parents(*all_clients: OfProcess | None) -> None:
    """Keep those for ever that this process has inherited."""
    for clients in set(all_clients):
        if clients is not None and clients.pid != os.getpid():
            keep_for_ever(clients)
