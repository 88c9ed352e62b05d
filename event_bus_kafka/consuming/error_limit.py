"""Ends the worker after too many failed attempts in a row, if a limit is set."""

from __future__ import annotations

import threading

from event_bus_kafka.errors import WorkerFailed


class ErrorLimit:
    """
    Counts failed attempts in a row, over all lanes. A successful attempt sets the count to 0. Once the limit is
    reached, the worker ends, even if another attempt succeeds.
    """

    def __init__(self, limit: int | None = None) -> None:
        self._lock = threading.Lock()
        self._limit = limit
        self._length = 0
        self.failure: WorkerFailed | None = None
        """The error that ends the worker; None until the limit is reached. While it is set, no attempt is made."""

    def failed(self) -> None:
        with self._lock:
            self._length += 1
            if self._limit and self._length >= self._limit:
                self.failure = WorkerFailed(f"{self._limit} attempts in a row failed", exit_code=4)

    def succeeded(self) -> None:
        self._length = 0
