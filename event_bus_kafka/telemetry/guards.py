"""Keeps what functions of a service raise, and what nobody expects, from ending a thread of this package."""

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
    """Return a function that calls ``callbacks`` and never raises: what one of them raises becomes a CallbackFailed."""

    def call(*arguments: Any) -> None:
        for callback in callbacks:
            try:
                callback(*arguments)
            except RAISED_BY_OTHERS as error:
                emit(CallbackFailed(callback=name, error=error))

    return call


def watched(name: str, function: Callable[..., T]) -> Callable[..., T]:
    """Return a function that does what ``function`` does; what that raises becomes a CallbackFailed besides."""

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
    Swallow whatever the block raises, of which a ThreadStumbled tells; in the main thread not what signals raise.

    Stands around one turn of a thread of this package.
    """
    try:
        yield
    except BaseException as error:  # noqa: BLE001 SystemExit would end the thread unseen
        stumbled(error)


def answer(future: Future[T], function: Callable[[], T], name: str) -> None:
    """Call ``function`` in a thread of its own, so that whoever waits for ``future``, its outcome, may stop waiting."""

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
    """Tell of an error that ends no thread; one that a signal has raised in the main thread is raised again."""
    let_through(error)
    if threading.current_thread() is threading.main_thread() and not isinstance(error, RAISED_BY_OTHERS):
        raise error
    with suppress(BaseException):
        emit(ThreadStumbled(thread=threading.current_thread().name, error=error))
