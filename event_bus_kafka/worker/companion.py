"""Runs the steps of a second worker in a thread, in parallel to the steps of the first."""

from __future__ import annotations

import threading
from time import monotonic

from django.db import connections

from event_bus_kafka.errors import WorkerFailed
from event_bus_kafka.worker.worker import Steps


class WithCompanion:
    """
    Runs the steps of ``first`` in the calling thread, and the steps of its companion ``second`` in another thread.

    An exception of ``second`` ends the worker, as if ``first`` had raised it. ``second`` is stopped last, so that it
    can send the events that ``first`` emitted while stopping.
    """

    def __init__(self, first: Steps, second: Steps) -> None:
        self._first = first
        self._second = second
        self._stopping = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="event-bus-companion", daemon=True)

    def step(self) -> None:
        """Run one step of ``first``. Raises the exceptions of ``first`` and of ``second``."""
        if self._thread.ident is None:
            self._thread.start()
        self._raise_failure()
        self._first.step()

    def stop(self, *, timeout: float) -> int:
        """
        Stop ``first``, then ``second``. Return 0 if both have stopped and no work of ``first`` is left unfinished,
        otherwise a positive number. Raises exceptions of ``second`` that :meth:`step` has not raised.
        """
        deadline = monotonic() + timeout
        try:
            unfinished = self._first.stop(timeout=timeout)
        finally:
            self._stopping.set()
            if self._thread.ident is not None:
                self._thread.join(max(deadline - monotonic(), 0.1))
        self._raise_failure()
        return unfinished + self._thread.is_alive()

    def _raise_failure(self) -> None:
        if (failure := self._failure) is not None:
            self._failure = None
            raise failure

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._second.step()
            self._second.stop(timeout=0)
        except Exception as error:  # noqa: BLE001 any error must end the process, not only this thread
            self._failure = error
        except BaseException as error:  # noqa: BLE001 as above
            self._failure = WorkerFailed(f"the worker's companion raised {type(error).__name__}", exit_code=3)
        finally:
            connections.close_all()
