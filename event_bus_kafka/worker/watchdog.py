"""Ends a worker that the Kafka client does not let go: at a silent broker it waits without limit, deaf to signals."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic

from event_bus_kafka.shown import logger_named

logger = logger_named(__name__)

_BEGUN, _ENDED = 0, 255
"""Bytes that tell the watchdog of the begin of a stop and of its end; any other byte is the number of a signal."""
_AFTER_SECOND_SIGNAL = 1.0
_wakeup_descriptors: list[int] = []
"""File descriptors by which this process tells its watchdog of signals."""


class Forced(BaseException):
    """A second signal: do not wait any longer."""


@contextmanager
def watchdog(
    name: str, *, limit: float, signals: tuple[signal.Signals, ...], exit_code: int
) -> Iterator[Callable[[int], None]]:
    """
    Watch the body, which runs in the main thread.

    ``limit`` seconds after the first of ``signals``, or after the yielded callable is called, kill the process with
    ``exit_code``, or with the code passed to the callable. A second signal shortens this to one second, and a body that
    ends with :class:`Forced` is watched beyond its end: Python would wait for threads, and for what is in flight.
    Python's own signal handlers would wait as long as the main thread is inside C.
    """
    ends_with = [exit_code]

    def stop_begins(exit_code: int) -> None:
        ends_with[0] = exit_code
        _tell(write, _BEGUN)

    read, write = os.pipe()
    os.set_blocking(write, False)
    arguments = (read, name, limit, signals, ends_with)
    thread = threading.Thread(target=_watch, args=arguments, name="event-bus-watchdog", daemon=True)
    thread.start()
    before = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    _wakeup_descriptors.append(write)
    forced = False
    try:
        yield stop_begins
    except Forced:
        forced = True
        raise
    finally:
        _wakeup_descriptors.clear()
        signal.set_wakeup_fd(before)
        if not forced:
            _end(thread, read, write)


def _end(watching: threading.Thread, read: int, write: int) -> None:
    _tell(write, _ENDED)  # to close it would not do: a child that a receiver has forked has it open as well
    os.close(write)
    watching.join()
    os.close(read)


def _tell(descriptor: int, what: int) -> None:
    with suppress(BlockingIOError):  # thousands of signals are waiting already
        os.write(descriptor, bytes([what]))


def _watch(read: int, name: str, limit: float, signals: tuple[signal.Signals, ...], ends_with: list[int]) -> None:
    deadline: float | None = None
    signalled = False
    while select.select([read], [], [], None if deadline is None else max(0.0, deadline - monotonic()))[0]:
        told = os.read(read, 1)
        if told[0] == _ENDED:
            return
        if told[0] in signals and signalled:
            deadline = monotonic() + _AFTER_SECOND_SIGNAL
        elif told[0] in (_BEGUN, *signals):
            deadline = deadline or monotonic() + limit
            signalled = signalled or told[0] != _BEGUN
    try:
        logger.error("%s: the Kafka client does not come to an end; the process ends without it", name)
    finally:  # whatever a handler of the service's does
        os._exit(ends_with[0])


def _let_parent_be() -> None:
    """A signal to a child of a receiver is none to the worker."""
    if _wakeup_descriptors:
        _wakeup_descriptors.clear()
        signal.set_wakeup_fd(-1)


os.register_at_fork(after_in_child=_let_parent_be)
