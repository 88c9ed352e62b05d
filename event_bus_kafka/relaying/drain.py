"""Runs a relay until it can send no further row. Imported only if the app is installed."""

from __future__ import annotations

from django.db import Error

from event_bus_kafka.errors import WorkerFailed
from event_bus_kafka.outbox.backlog import Backlog
from event_bus_kafka.relaying.progress import ProgressReports
from event_bus_kafka.relaying.relay import Relay

_FRUITLESS = 30.0
"""Seconds without a sent or parked row after which ``relay_events --once`` ends."""


class Drain:
    """Runs steps of a relay until it can send no further row."""

    def __init__(self, alias: str, relay: Relay, progress: ProgressReports) -> None:
        self._alias = alias
        self._relay = relay
        self._progress = progress

    def step(self) -> None:
        """
        Run one step. Raise :class:`WorkerFailed` if the relay can send no further row, or has neither sent nor parked a
        row for ``_FRUITLESS`` seconds. The exception's exit code is 0 if the outbox is known to be empty, and 3
        otherwise. Errors of :meth:`Relay.step` are passed on.
        """
        self._relay.step()
        if self._progress.is_drained:
            self._end("some rows have to wait")
        if self._progress.seconds_without_success > _FRUITLESS:
            self._end(f"nothing could be sent for {_FRUITLESS:g} seconds")

    def stop(self, *, timeout: float) -> int:
        return self._relay.stop(timeout=timeout)

    def _end(self, reason: str) -> None:
        try:
            depth = Backlog.of(self._alias).depth
        except Error as error:
            uncounted = f"{reason}; the rows in the outbox could not be counted: {type(error).__name__}"
            raise WorkerFailed(uncounted, exit_code=3) from error
        if depth:
            raise WorkerFailed(f"{reason}; rows in the outbox: {depth}", exit_code=3)
        raise WorkerFailed("no row waits in the outbox any more", exit_code=0)
