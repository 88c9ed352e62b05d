"""
Keeps the threads of this package running when a function of the service raises, or when this package itself raises
unexpectedly.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from event_bus_kafka.interruptions import let_through
from event_bus_kafka.telemetry.bus import RAISED_BY_OTHERS, emit
from event_bus_kafka.telemetry.events import CallbackFailed, ThreadStumbled

T = TypeVar("T")


def guarded(name: str, *callbacks: Callable[..., Any]) -> Callable[..., None]:
    """
    Return a function that calls all ``callbacks``. For each exception in RAISED_BY_OTHERS, it emits CallbackFailed
    instead of raising. Any other exception, such as KeyboardInterrupt, is raised.
    """

    def call(*arguments: Any) -> None:
        for callback in callbacks:
            try:
                callback(*arguments)
            except RAISED_BY_OTHERS as error:
                emit(CallbackFailed(callback=name, error=error))

    return call


def watched(name: str, function: Callable[..., T]) -> Callable[..., T]:
    """
    Return a function that calls ``function``. Before it propagates an exception in RAISED_BY_OTHERS, it emits
    CallbackFailed.
    """

    def call(*arguments: Any) -> T:
        try:
            return function(*arguments)
        except RAISED_BY_OTHERS as error:
            emit(CallbackFailed(callback=name, error=error))
            raise

    return call


@contextmanager
def kept_alive() -> Iterator[None]:
    """
    Swallow exceptions of the block, and emit ThreadStumbled for them. Exceptions that interrupt the main thread, such
    as exceptions from the handler of a process signal, are not swallowed. Used for each iteration of a thread's loop.
    """
    try:
        yield
    except BaseException as error:  # noqa: BLE001 SystemExit would end the thread without a trace
        stumbled(error)


def answer(future: Future[T], function: Callable[[], T], name: str) -> None:
    """
    Call ``function`` in a new thread, and put its result or exception into ``future``. The caller can wait for
    ``future`` with a time limit. If no thread can start, because the interpreter shuts down, the calling thread calls
    ``function``. ``name``: the new thread's name.
    """

    def run() -> None:
        try:
            future.set_result(function())
        except BaseException as error:  # noqa: BLE001 otherwise the caller would wait for ever
            future.set_exception(error if isinstance(error, Exception) else RuntimeError(type(error).__name__))

    try:
        threading.Thread(target=run, name=name, daemon=True).start()
    except RuntimeError:  # no thread can start any more, because the interpreter shuts down: call it in this thread
        run()


def stumbled(error: BaseException) -> None:
    """
    Emit ThreadStumbled for an error that a thread survives. Raise the error again instead if the handler of a process
    signal raised it, or if it interrupts the main thread in another way, such as KeyboardInterrupt.
    """
    let_through(error)
    if threading.current_thread() is threading.main_thread() and not isinstance(error, RAISED_BY_OTHERS):
        raise error
    with suppress(BaseException):
        emit(ThreadStumbled(thread=threading.current_thread().name, error=error))
