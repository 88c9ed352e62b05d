"""The receivers of a measured worker, which also stop the worker."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from itertools import count
from typing import Any

from django.core.management import call_command
from django.db import connection

from benchmarks.measurements import Meter

Work = Callable[[int], object]
"""The work that a receiver does for an event. The argument is the number of the event."""
SLEEP = 0.01
"""Seconds for which a receiver sleeps, as if it waited for another server."""


class Receiver:
    """
    A receiver that does its work for each event, counts events, and stops the worker after the last event. Several
    lanes may call it at once.
    """

    def __init__(self, number: int, meter: Meter, end: Callable[[], object], work: Work | None = None) -> None:
        self.count = 0
        self._last = number
        self._meter = meter
        self._end = end
        self._work = work
        self._begun, self._done = count(1), count(1)

    def __call__(self, **_: Any) -> None:
        number = next(self._begun)
        if number == 1:
            self._meter.begin()  # joining the group takes seconds, which must not count
        if self._work is not None:
            self._work(number)
        done = next(self._done)
        if done == self._last:
            self.count = done
            self._meter.end()
            self._end()


def stop() -> None:
    """Stop the worker of this process with the same signal that a host would send."""
    os.kill(os.getpid(), signal.SIGTERM)


def sleep(_: int) -> None:
    """Sleep as if the receiver waited for another server."""
    time.sleep(SLEEP)


def write_row(number: int) -> None:
    """Write a row in autocommit, like a receiver that stores something about its event."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO benchmark_row (number) VALUES (%s)", [number])


def ready(receiver: str) -> Work | None:
    """Prepare the work with the name ``receiver`` and return this work; None if the receiver does nothing."""
    if receiver == "row":
        call_command("migrate", verbosity=0)
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE IF NOT EXISTS benchmark_row (number integer)")
        connection.close()
    return {"nothing": None, "sleep": sleep, "row": write_row}[receiver]
