"""Decides which lifecycle events are not logged."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from time import monotonic

from event_bus_kafka.shown import label

_REMIND_AFTER = 60.0
"""
Seconds for which the same line is not logged again. Without this pause the log would have several lines a second about
one error, because librdkafka reports an error again as long as it persists.
"""

_MOST = 1_000
"""
Maximum number of remembered lines. A limit is needed because lines contain event types, and other services may send any
number of types.
"""


class LogFilter:
    """
    Decides which lines are not logged. ``audit`` returns whether to log a line for each record that is delivered,
    received or done. :meth:`is_news` detects repeated lines.
    """

    def __init__(self, audit: Callable[[], bool], clock: Callable[[], float] = monotonic) -> None:
        self.audit = audit
        self._clock = clock
        self._last_logged: dict[tuple[str, str], float] = {}
        self._logged_for_ever: set[tuple[str, str]] = set()

    def is_news(self, source: str, what: str, *, for_ever: bool = False) -> bool:
        """
        Return whether to log the line that says ``what`` about ``source``. If so, remember the line.

        Without ``for_ever``, the result is False if the line was logged within the last minute. Lines may be forgotten
        earlier if there are more than a thousand. With ``for_ever``, the result is False if this process has logged the
        line with ``for_ever`` before, or has logged a thousand other lines with ``for_ever``.
        """
        line = source, label(what)
        if for_ever:
            return self._is_first(line)
        now = self._clock()
        if now - self._last_logged.get(line, -inf) < _REMIND_AFTER:
            return False
        if len(self._last_logged) >= _MOST:
            self._last_logged.clear()
        self._last_logged[line] = now
        return True

    def _is_first(self, line: tuple[str, str]) -> bool:
        if line in self._logged_for_ever or len(self._logged_for_ever) >= _MOST:
            return False
        self._logged_for_ever.add(line)
        return True
