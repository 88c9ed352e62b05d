"""Measures the CPU time of idle processes, and the time until a worker's first event."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS
from openedx_events.event_bus import get_producer

import event_bus_kafka
from benchmarks.events import SIGNAL, samples
from benchmarks.measurements import Figures
from benchmarks.works.receivers import stop
from benchmarks.works.threads import watch


def worker(*, reads: Sequence[str], group: str, seconds: float, settle: float) -> Figures:
    """
    Return the figures of a worker that is idle after one event, and the seconds from the start of its process to this
    event.
    """
    began = _age()
    received = threading.Event()
    ages: list[float] = []

    def receiver(**_: Any) -> None:
        ages.append(_age())
        received.set()

    SIGNAL.connect(receiver)
    found = _watched(received.wait, settle, seconds, stop)
    event_bus_kafka.KafkaEventConsumer(reads, group).consume_indefinitely()
    return {**found(), "ready": began, "first_event": ages[0]}


def relay(*, seconds: float, settle: float, topic: str) -> Figures:
    """Return the figures of a relay with an empty outbox."""
    call_command("migrate", verbosity=0)
    from event_bus_kafka.assembly.relaying import relay_worker

    found = _watched(lambda: None, settle, seconds, stop)
    with ExitStack() as at_end:
        relay_worker(DEFAULT_DB_ALIAS, at_end).run()
    return found()


def sender(*, seconds: float, settle: float, topic: str) -> Figures:
    """
    Return the figures of a web process that has sent one event and waits. The measurement begins ``settle``
    seconds after the send.
    """
    ((data, _),) = samples(1)
    SIGNAL.send_event(**data)
    figures = _watched(lambda: None, settle, seconds, lambda: None)()
    get_producer().prepare_for_shutdown()
    return figures


def _watched(
    begins: Callable[[], object], settle: float, seconds: float, end: Callable[[], object]
) -> Callable[[], Figures]:
    """
    Start a thread that calls ``begins``, waits ``settle`` seconds, measures the process for ``seconds``, and then calls
    ``end``. Return a function that waits for the figures.
    """
    found: list[Figures] = []

    def run() -> None:
        begins()
        time.sleep(settle)
        try:
            found.append(watch(seconds))
        finally:
            end()

    thread = threading.Thread(target=run, name="benchmark", daemon=True)
    thread.start()

    def figures() -> Figures:
        thread.join()
        return found[0]

    return figures


def _age() -> float:
    """Return the seconds since this process started."""
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / 100
