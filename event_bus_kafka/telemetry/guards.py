"""Keeps exceptions of a service's functions, and unexpected ones, from ending a thread of this package."""

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
    """Return a function that calls ``callbacks`` and never raises: it emits CallbackFailed for each exception."""

    def call(*arguments: Any) -> None:
        for callback in callbacks:
            try:
                callback(*arguments)
            except RAISED_BY_OTHERS as error:
                emit(CallbackFailed(callback=name, error=error))

    return call


def watched(name: str, function: Callable[..., T]) -> Callable[..., T]:
    """
    Return a function that does the same as ``function``, and emits CallbackFailed for each exception that it raises.
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
    Swallow any exception of the block and emit ThreadStumbled; in the main thread let exceptions of signal handlers
    pass. Stands around one turn of a thread of this package.
    """
    try:
        yield
    except BaseException as error:  # noqa: BLE001 SystemExit would end the thread unseen
        stumbled(error)


def answer(future: Future[T], function: Callable[[], T], name: str) -> None:
    """
    Call ``function`` in a thread of its own and put its outcome into ``future``, so that a caller may stop waiting for
    it.
    """

    def run() -> None:
        try:
            future.set_result(function())
        except BaseException as error:  # noqa: BLE001 whoever waits must hear of it
            future.set_exception(error if isinstance(error, Exception) else RuntimeError(type(error).__name__))

    try:
        threading.Thread(target=run, name=name, daemon=True).start()
    except RuntimeError:  # the interpreter ends: no request waits any more
        run()


def stumbled(error: BaseException) -> None:
    """
    Emit ThreadStumbled for an error that ends no thread; in the main thread raise a signal handler's exception again.
    """
    let_through(error)
    if threading.current_thread() is threading.main_thread() and not isinstance(error, RAISED_BY_OTHERS):
        raise error
    with suppress(BaseException):
        emit(ThreadStumbled(thread=threading.current_thread().name, error=error))
