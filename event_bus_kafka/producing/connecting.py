"""
Makes a process's clients in a thread: a constructor may wait, for a token 10 seconds, and no request does with it.

A request waits within its own limit; once one has waited in vain, no other does. After a failure nobody tries for a
while.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from math import inf
from time import monotonic

import attrs

from event_bus_kafka.errors import BrokerError, ConfigurationError, DeliveryFailed, without_traceback
from event_bus_kafka.kafka import error_codes
from event_bus_kafka.producing.clients import ProcessClients, keep_parents_clients
from event_bus_kafka.producing.inherited import keep_parents
from event_bus_kafka.trouble import Trouble

_REST = 5.0
"""Seconds after a failure in which nobody tries again."""
_NEW_CLIENT_EVERY = 30.0
"""Seconds: a fatal error that comes again would otherwise cost a client for each event."""


@attrs.define(eq=False)
class _Attempt:
    """To make clients, once."""

    pid: int = attrs.field(factory=os.getpid)
    made: Future[ProcessClients] = attrs.field(factory=Future)
    is_slow: bool = False
    """Whether somebody has waited for it in vain."""
    again_at: float = inf
    """When another one may follow, once this has failed; wrong settings cost no time, and may be right next time."""

    def run(self, make: Callable[[], ProcessClients], install: Callable[[_Attempt, ProcessClients], None]) -> None:
        try:
            clients = make()
            install(self, clients)
        except BaseException as error:  # noqa: BLE001 whoever waits must hear of it
            self.again_at = monotonic() + (0 if isinstance(error, ConfigurationError) else _REST)
            self.made.set_exception(without_traceback(error))
        else:
            self.made.set_result(clients)

    def is_over(self, now: float) -> bool:
        return self.pid != os.getpid() or (self.made.done() and (not self.made.exception() or now >= self.again_at))

    def result(self, until: float) -> ProcessClients:
        """Raises :class:`ConfigurationError` or :class:`DeliveryFailed`."""
        with suppress(TimeoutError):
            self.made.exception(0 if self.is_slow else max(until - monotonic(), 0))
        if not self.made.done():
            self.is_slow = True
            raise _failed(error_codes.TIMED_OUT, "the client is not made yet")
        error = self.made.exception()
        if error is None:
            return self.made.result()
        if isinstance(error, ConfigurationError):
            raise ConfigurationError(str(error))  # a new one: each raise would add the frames of its request
        if isinstance(error, BrokerError):
            raise _failed(error.code, error.reason)
        raise _failed(error_codes.FAIL, f"making the client raised {type(error).__name__}")


class Connecting:
    """The clients of this process, made at the first send and after a fatal error; those of a parent count for none."""

    def __init__(self, make: Callable[[], ProcessClients]) -> None:
        self.clients: ProcessClients | None = None
        """The last ones that were made, by this process or a parent."""
        self._make = make
        self._attempt: _Attempt | None = None
        self._lock = threading.Lock()
        os.register_at_fork(after_in_child=self._forget_parent)

    def get(self, until: float) -> ProcessClients:
        """Return clients, made anew if need be. Raises :class:`ConfigurationError` or :class:`DeliveryFailed`."""
        with self._lock:
            clients = self.clients
            if clients is not None and clients.pid == os.getpid():
                return clients
            self._keep_parents()
            attempt = self._current_attempt(self._make)
        return attempt.result(until)

    def replace(self, former: ProcessClients, until: float) -> ProcessClients:
        """Return others than ``former``, with which nothing can be sent; ``former`` if that was replaced just now."""
        since = former.succeeded_at
        is_due = former.takes_no_more or since is None or monotonic() - since >= _NEW_CLIENT_EVERY
        with self._lock:
            if self.clients is not None and self.clients is not former:
                return self.clients
            if not is_due:
                return former
            attempt = self._current_attempt(former.successor)
        return attempt.result(until)

    def _current_attempt(self, make: Callable[[], ProcessClients]) -> _Attempt:
        attempt = self._attempt
        if attempt is None or attempt.is_over(monotonic()):
            attempt = self._attempt = _Attempt()
            arguments = (make, self._install)
            thread = threading.Thread(target=attempt.run, args=arguments, name="event-bus-connect", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the interpreter ends
                attempt.run(*arguments)
        return attempt

    def _install(self, attempt: _Attempt, clients: ProcessClients) -> None:
        former, self.clients = self.clients, clients
        if former is not None and former.pid == os.getpid():
            former.retire()

    def _keep_parents(self) -> None:
        keep_parents_clients()
        keep_parents(self.clients)  # which may have been retired, so that nobody else knows it

    def _forget_parent(self) -> None:
        self._lock = threading.Lock()
        self._keep_parents()
        self.clients = self._attempt = None


def _failed(code: str, reason: str) -> DeliveryFailed:
    return DeliveryFailed(code, reason, retriable=True, kind=Trouble.UNREACHABLE)
