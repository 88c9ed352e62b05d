"""
Ends a worker whose Kafka client blocks. If a broker is silent, the client waits without limit and ignores signals.
"""

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
"""Bytes which mean that a stop has begun, and that the watched block has ended. Any other byte is a signal's number."""
_AFTER_SECOND_SIGNAL = 1.0
_wakeup_descriptors: list[int] = []
"""File descriptors with which this process sends signal numbers to its watchdog."""


class Forced(BaseException):
    """Raised after a second signal, because the worker must stop waiting."""


@contextmanager
def watchdog(
    name: str, *, limit: float, signals: tuple[signal.Signals, ...], exit_code: int
) -> Iterator[Callable[[int], None]]:
    """
    Watch the ``with`` block, which must run in the main thread. Yield a callable that reports the beginning of a stop.

    If the block does not end in time, kill the process. The time is ``limit`` seconds from the first signal or from the
    call of the yielded callable, whichever comes first. A second signal sets the remaining time to one second. The exit
    code is ``exit_code``, or the argument of the callable once it was called.

    If the block ends with :class:`Forced`, the watch continues after the block, because Python would wait for threads
    and for records in flight. A separate thread watches, because Python's own signal handlers do not run while the main
    thread is inside C code.
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
    _tell(write, _ENDED)  # closing is not enough: a child of a receiver may have it open, too
    os.close(write)
    watching.join()
    os.close(read)


def _tell(descriptor: int, what: int) -> None:
    with suppress(BlockingIOError):  # the pipe is full of signals already
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
        logger.error("%s did not stop in time, perhaps because its Kafka client blocks; the process ends at once", name)
    finally:  # even if a log handler of the service raises
        os._exit(ends_with[0])


def _let_parent_be() -> None:
    """
    Detach a child process from the parent's watchdog after a fork. A signal to a child that a receiver started must not
    stop the worker.
    """
    if _wakeup_descriptors:
        _wakeup_descriptors.clear()
        signal.set_wakeup_fd(-1)


os.register_at_fork(after_in_child=_let_parent_be)
