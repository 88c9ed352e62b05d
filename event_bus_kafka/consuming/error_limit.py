"""Errors in a row: where nothing succeeds any more, the worker ends, if its limit says so."""

from __future__ import annotations

import threading

from event_bus_kafka.errors import WorkerFailed


class ErrorLimit:
    """Failed attempts in a row, over all lanes; an attempt that succeeds ends it, unless the limit was reached."""

    def __init__(self, limit: int | None = None) -> None:
        self._lock = threading.Lock()
        self._limit = limit
        self._length = 0
        self.failure: WorkerFailed | None = None
        """Why the worker has to end; from then on no attempt is made."""

    def failed(self) -> None:
        with self._lock:
            self._length += 1
            if self._limit and self._length >= self._limit:
                self.failure = WorkerFailed(f"{self._limit} attempts in a row failed", exit_code=4)

    def succeeded(self) -> None:
        self._length = 0
