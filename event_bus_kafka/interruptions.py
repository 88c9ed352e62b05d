"""
Exceptions by which a host stops what runs, such as celery's SoftTimeLimitExceeded: no failure of what they hit.

They come out of a signal's handler, in the midst of any line of the main thread, and may be of any class. Whoever takes
all exceptions for failures lets these go on. What another thread injects cannot be told from a failure: libraries that
do so have classes that are no ``Exception``.
"""

from __future__ import annotations

import signal
import threading
from traceback import walk_tb
from typing import Any


def let_through(error: BaseException) -> None:
    """Raise the exception of a signal's handler again, if ``error`` is one or was caused by one."""
    interruption = interruption_in(error)
    if interruption is not None:
        raise interruption


def interruption_in(error: BaseException) -> BaseException | None:
    """Return the exception of a signal's handler: ``error`` itself, its cause, or None."""
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
    """Return the code of a function, a method, a partial of these, or an object that can be called; else None."""
    if not callable(handler):
        return None
    function = getattr(handler, "func", handler)
    return getattr(function, "__code__", None) or getattr(function.__call__, "__code__", None)
