"""The receivers of a measured worker: what they do, and what ends the worker."""

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
"""What a receiver does for an event; it gets the event's number."""
SLEEP = 0.01
"""Seconds that a receiver sleeps which waits for another server, say."""


class Receiver:
    """Does its work for each event, counts, and ends the worker after so many. Lanes call it at once."""

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
            self._meter.begin()  # joining a group takes seconds of waiting, which say nothing of the speed
        if self._work is not None:
            self._work(number)
        done = next(self._done)
        if done == self._last:
            self.count = done
            self._meter.end()
            self._end()


def stop() -> None:
    """End this process's worker as its host does."""
    os.kill(os.getpid(), signal.SIGTERM)


def sleep(_: int) -> None:
    """Wait, as for another server."""
    time.sleep(SLEEP)


def write_row(number: int) -> None:
    """Write a row, in autocommit, as a receiver does that notes something of its event."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO benchmark_row (number) VALUES (%s)", [number])


def ready(receiver: str) -> Work | None:
    """Return the work of a receiver by its name, once all is there that it needs."""
    if receiver == "row":
        call_command("migrate", verbosity=0)
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE IF NOT EXISTS benchmark_row (number integer)")
        connection.close()
    return {"nothing": None, "sleep": sleep, "row": write_row}[receiver]
