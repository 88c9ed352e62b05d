"""
Exceptions with which a host such as celery interrupts the main thread, for example SoftTimeLimitExceeded. Such an
exception does not mean that the interrupted code failed.

A signal's handler may raise such an exception at any line of the main thread, and the exception may be of any class.
Code that treats exceptions as failures must first pass each exception to :func:`let_through`. If another thread injects
an exception, the exception cannot be told from a failure. But libraries that inject exceptions use classes that are not
derived from ``Exception``.
"""

from __future__ import annotations

import signal
import threading
from traceback import walk_tb
from typing import Any


def let_through(error: BaseException) -> None:
    """
    If a signal handler raised ``error``, or an exception in the context of ``error``, raise that exception again.
    Otherwise do nothing.
    """
    interruption = interruption_in(error)
    if interruption is not None:
        raise interruption


def interruption_in(error: BaseException) -> BaseException | None:
    """
    Return the exception that a signal handler raised: ``error`` itself, or an exception in the context of ``error``.
    Return None if there is no such exception, or if the calling thread is not the main thread: only the main thread
    runs signal handlers.
    """
    if threading.current_thread() is not threading.main_thread():
        return None
    handlers = {_code(signal.getsignal(number)) for number in signal.valid_signals()}
    one: BaseException | None = error
    while one is not None:
        if any(frame.f_code in handlers for frame, _ in walk_tb(one.__traceback__)):
            return one
        one = one.__context__
    return None


def _code(handler: Any) -> object:
    """
    Return the code object of a function, a method, a partial of these, or a callable object. Return None for anything
    else.
    """
    if not callable(handler):
        return None
    function = getattr(handler, "func", handler)
    return getattr(function, "__code__", None) or getattr(function.__call__, "__code__", None)
