"""Notices that a worker can begin no letter, so that another one may do its request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic

from event_bus_kafka.consuming.progress import Delivery, Detached

_TURNS_WITHIN = 30.0
"""Seconds in which a polling thread that is alive turns."""
_MOVES_WITHIN = 300.0
"""
Seconds in which one of the lanes comes to another record, unless receivers hang. Letters that wait for slow receivers
lose their place when the request is handed back: too short a time would keep them from ever having a turn.
"""


class Standstill:
    """
    Tells whether letters can begin. The polling thread calls ``turned``, the housekeeping thread ``reason``.

    A letter that runs is no standstill, however long it takes: its request stays with its worker anyway.
    """

    def __init__(
        self, records: Callable[[], Sequence[Delivery | None]], clock: Callable[[], float] = monotonic
    ) -> None:
        """``records``: returns the record that each lane is at; empty: not known."""
        self._records = records
        self._clock = clock
        self._turned_at = clock()
        self._seen: tuple[Delivery | None, ...] = ()
        self._seen_since = clock()

    def turned(self) -> None:
        """Note that the polling thread is alive."""
        self._turned_at = self._clock()

    def reason(self) -> str:
        """Return why no letter can begin, empty where one can. It compares with what it has seen at earlier calls."""
        now, seen = self._clock(), tuple(self._records())
        if seen != self._seen or None in seen or any(isinstance(one, Detached) for one in seen):
            self._seen, self._seen_since = seen, now
        if now - self._turned_at > _TURNS_WITHIN:
            return f"its polling thread has stood still for {_TURNS_WITHIN:g} s"
        if seen and now - self._seen_since > _MOVES_WITHIN:
            return f"receivers of live events have kept all of its lanes for {_MOVES_WITHIN:g} s"
        return ""
