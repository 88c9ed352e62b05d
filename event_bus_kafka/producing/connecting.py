"""
Makes the clients of a process in a separate thread, because a constructor may block (up to 10 seconds for an OAuth
token).

A caller that needs clients begins an attempt to make them, or waits for the attempt of an earlier caller. Each caller
waits until its own time limit or until the time limit of the caller that began the attempt, whichever is earlier. After
a failure other than a wrong configuration, no attempt begins for ``_REST`` seconds.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from time import monotonic

from event_bus_kafka.errors import BrokerError, ConfigurationError, DeliveryFailed
from event_bus_kafka.kafka import error_codes
from event_bus_kafka.producing.clients import Phase, ProcessClients
from event_bus_kafka.producing.inherited import keep_parents_clients
from event_bus_kafka.telemetry.guards import answer
from event_bus_kafka.trouble import Trouble

_REST = 5.0
"""Seconds between a failed attempt to make clients and the next attempt."""
_NEW_CLIENT_EVERY = 30.0
"""
Minimum seconds between two replacements of the clients. Without this pause, a repeated fatal error would replace the
clients at each event.
"""
_Failure = Callable[[], Exception]
"""
Makes a new exception for each caller. If several callers raised the same exception object, the object would collect
the frames of all these callers.
"""


class Connecting:
    """Makes this process's clients at the first send, and new clients after a fatal error."""

    _clients: ProcessClients | None
    """The clients that were made last."""
    _attempt: Future[ProcessClients | _Failure] | None
    """The attempt to make clients that is running now, or that has failed; None: there is none."""
    _waits_until: float
    """Monotonic time until which callers wait for the running attempt: the time limit of the caller that began it."""
    _again_at: float
    """Monotonic time from which the next attempt may begin."""

    def __init__(self, make: Callable[[ProcessClients | None], ProcessClients]) -> None:
        """``make`` returns new clients. Its argument: the clients that the new clients replace, or None."""
        self._make = make
        self._forget_parent()
        os.register_at_fork(after_in_child=self._forget_parent)

    @property
    def clients(self) -> ProcessClients | None:
        """
        The clients of this process; None if there are none, or if they belong to the parent process. The process id is
        compared with the id of the clients' process, because a server written in C may fork without informing Python.
        """
        return self._clients if self._pid == os.getpid() else None

    @property
    def has_clients(self) -> bool:
        """Whether there are clients without a fatal error."""
        return self.clients is not None and self.clients.producer.failure is None

    def get(self, until: float, unfit: ProcessClients | None = None) -> ProcessClients:
        """
        Return clients other than ``unfit``; make new clients if necessary.

        ``unfit``: clients that can no longer send. If they are not retired, and the last replacement or failed attempt
        was too recent, ``unfit`` itself is returned. Raises :class:`ConfigurationError` or :class:`DeliveryFailed`.
        """
        with self._lock:
            if self._pid != os.getpid():
                self._forget_parent()
            clients = self._clients
            if clients is not None and (clients is not unfit or not self._may_replace(clients)):
                return clients
            attempt = self._attempt
            begins = attempt is None or (attempt.done() and monotonic() >= self._again_at)
            if attempt is None or begins:
                attempt = self._attempt = Future()
                self._waits_until, self._again_at = until, 0.0
        if begins:  # not locked: if no thread can start, this thread connects, and observers may send
            answer(attempt, partial(self._connect, clients), "event-bus-connect")
        try:
            made = attempt.result(max(min(until, self._waits_until) - monotonic(), 0))
        except TimeoutError:
            raise _failed(error_codes.TIMED_OUT, "the Kafka client is still being made") from None
        if isinstance(made, ProcessClients):
            return made
        raise made()

    def _connect(self, former: ProcessClients | None) -> ProcessClients | _Failure:
        try:
            clients = self._make(former)
        except ConfigurationError as error:  # no pause: takes no time, and settings may change
            return partial(ConfigurationError, str(error))
        except BaseException as error:  # noqa: BLE001 the waiting callers must get the error
            self._again_at = monotonic() + _REST
            if isinstance(error, BrokerError):
                return partial(_failed, error.code, error.reason)
            return partial(_failed, error_codes.FAIL, f"making the client raised {type(error).__name__}")
        with self._lock:
            self._clients, self._attempt = clients, None
        if former is not None:
            self._again_at = monotonic() + _NEW_CLIENT_EVERY
            former.retire()
        return clients

    def _may_replace(self, clients: ProcessClients) -> bool:
        return clients.phase is not Phase.OPEN or monotonic() >= self._again_at

    def _forget_parent(self) -> None:
        keep_parents_clients()
        self._pid = os.getpid()
        self._lock = threading.RLock()  # reentrant: a signal handler may send while its thread has the lock
        self._clients = self._attempt = None
        self._waits_until = self._again_at = 0.0


def _failed(code: str, reason: str) -> DeliveryFailed:
    return DeliveryFailed(code, reason, retriable=True, kind=Trouble.UNREACHABLE)
