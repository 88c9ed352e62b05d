"""Decides which lifecycle events are not logged."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from time import monotonic

from event_bus_kafka.shown import label

_REMIND_AFTER = 60.0
"""
Seconds after which a persisting error is logged again. Without this limit the log would have several such lines a
second, since librdkafka reports the error as often.
"""

_MOST = 1_000
"""Maximum number of remembered lines. Other services may invent any number of event types, and so of lines."""


class LogFilter:
    """
    Decides which lines are not logged. ``audit`` returns whether each sent and each processed event has a line.
    :meth:`is_news` detects repeated lines.
    """

    def __init__(self, audit: Callable[[], bool], clock: Callable[[], float] = monotonic) -> None:
        self.audit = audit
        self._clock = clock
        self._last_logged: dict[tuple[str, str], float] = {}
        self._logged_for_ever: set[tuple[str, str]] = set()

    def is_news(self, source: str, what: str, *, for_ever: bool = False) -> bool:
        """
        Return whether to log ``what`` about ``source``. If so, remember the line.

        Return False if the line was logged within the last minute. With ``for_ever``: return False if this process has
        ever logged the line, or has logged a thousand other lines.
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
