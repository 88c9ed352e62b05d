"""Interruption, rate limit and progress bar of commands that run for a long time."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from math import inf
from time import monotonic, sleep
from types import FrameType

from django.core.management.base import OutputWrapper

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_BAR = 30
_REWRITE_AFTER = 0.2
"""Seconds between two reports of progress on a terminal."""
_REPEAT_AFTER = 10.0
"""Seconds between two reports of progress in other output."""
_MADE_UP_FOR = 1.0
"""Work that was delayed may exceed the rate afterwards, to make up for at most this number of seconds of the delay."""


class Interruption:
    """
    Sets ``came`` on SIGINT or SIGTERM during a ``with`` block, so that the command can finish its current work. A
    second signal raises KeyboardInterrupt. Outside the main thread, signals are not noticed.
    """

    def __init__(self) -> None:
        self.came = False

    def __enter__(self) -> Interruption:
        in_main = threading.current_thread() is threading.main_thread()  # other threads may not set handlers
        self._before = {number: signal.signal(number, self._on_signal) for number in _SIGNALS if in_main}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self.came:
            raise KeyboardInterrupt
        self.came = True


class Pace:
    """Limits work to ``rate`` items per second. If ``rate`` is None, there is no limit."""

    def __init__(
        self,
        rate: float | None,
        interruption: Interruption,
        *,
        clock: Callable[[], float] = monotonic,
        wait: Callable[[float], None] = sleep,
    ) -> None:
        self._rate = rate or inf
        self._interruption = interruption
        self._clock = clock
        self._wait = wait
        self._due, self._done = clock(), 0
        """``_due`` is a time of ``clock``. ``_done`` is the number of items that the rate allows until this time."""

    def batch(self, most: int) -> int:
        """
        Return the number of items for one batch: at most ``most``, at most the items of one second, and at least 1.
        """
        return max(1, int(min(most, self._rate)))

    def keep(self, done: int) -> None:
        """Block until the rate allows ``done`` items since the start, or until an interruption."""
        due = self._due + (done - self._done) / self._rate
        self._due, self._done = max(due, self._clock() - _MADE_UP_FOR), done
        while not self._interruption.came and (left := self._due - self._clock()) > 0:
            self._wait(min(left, 0.1))


class ProgressBar:
    """Shows the progress of a run. Rewrites one line on a terminal; prints new lines into other output."""

    def __init__(self, output: OutputWrapper, total: int) -> None:
        self._output = output
        self._total = total
        self._began = self._told = monotonic()
        self._width = 0
        """Length of the line to overwrite, in characters."""

    @property
    def is_due(self) -> bool:
        """Whether enough time has passed since the progress was last printed."""
        return monotonic() - self._told > (_REWRITE_AFTER if self._output.isatty() else _REPEAT_AFTER)

    def tell(self, done: int, note: str) -> None:
        """Print the progress, with ``note`` at the end."""
        self._told = monotonic()
        rate = done / max(self._told - self._began, 0.001)
        share = min(done / self._total, 1.0) if self._total else 1.0
        bar = "#" * int(share * _BAR)
        line = f"[{bar:<{_BAR}}] {share:4.0%}  {done} of {self._total}  {rate:.0f}/s  {note}"
        if self._output.isatty():
            self._output.write(f"\r{line:<{self._width}}", ending="")
            self._width = len(line)
        else:
            self._output.write(line)
        self._output.flush()  # so that the output is complete even if this process is killed

    def end(self) -> None:
        """End the line of the progress bar, so that other output can follow."""
        if self._width:
            self._output.write("")
            self._width = 0
