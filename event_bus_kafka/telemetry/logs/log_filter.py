"""Decides which lifecycle events are left out of the log."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

_REMIND_AFTER = 60.0
"""Seconds after which an error that lasts is logged again; librdkafka reports it several times a second."""


class LogFilter:
    """
    Keeps the lines of single events and repeated lines out of the log.

    ``audit`` tells whether each sent and each processed event gets a line. :meth:`is_news` finds repeated lines.
    """

    def __init__(self, audit: Callable[[], bool], clock: Callable[[], float] = monotonic) -> None:
        self.audit = audit
        self._clock = clock
        self._last_logged: dict[tuple[str, str], float] = {}

    def is_news(self, source: str, what: str, *, for_ever: bool = False) -> bool:
        """
        Return whether to log ``what`` about ``source``, and remember it as logged if so.

        False if it was logged within the last minute; with ``for_ever``, if it was ever logged by this process.
        """
        now = self._clock()
        last = self._last_logged.get((source, what))
        if last is not None and (for_ever or now - last < _REMIND_AFTER):
            return False
        self._last_logged[source, what] = now
        return True
