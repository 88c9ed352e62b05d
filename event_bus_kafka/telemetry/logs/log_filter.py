"""Decides which lifecycle events are left out of the log."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from time import monotonic

from event_bus_kafka.shown import label

_REMIND_AFTER = 60.0
"""Seconds after which an error that lasts is logged again; librdkafka reports it several times a second."""

_MOST = 1_000
"""Lines that are remembered: strangers may invent any number of event types."""


class LogFilter:
    """
    Keeps the lines of single events and repeated lines out of the log. ``audit`` returns whether each sent and each
    processed event gets a line. :meth:`is_news` finds repeated lines.
    """

    def __init__(self, audit: Callable[[], bool], clock: Callable[[], float] = monotonic) -> None:
        self.audit = audit
        self._clock = clock
        self._last_logged: dict[tuple[str, str], float] = {}
        self._logged_for_ever: set[tuple[str, str]] = set()

    def is_news(self, source: str, what: str, *, for_ever: bool = False) -> bool:
        """
        Return whether to log ``what`` about ``source``, and remember it as logged if so.

        False if it was logged within the last minute; with ``for_ever``, if it was ever logged by this process, or if a
        thousand others were.
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
