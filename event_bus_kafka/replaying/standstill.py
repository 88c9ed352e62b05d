"""Detects that a worker can begin no letter, so that another worker can take its request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic

from event_bus_kafka.consuming.progress import Delivery, Detached

_TURNS_WITHIN = 30.0
"""Maximum number of seconds between two turns of a polling thread that is alive."""
_MOVES_WITHIN = 300.0
"""
Number of seconds after which receivers count as hanging if no lane has begun another record. Handing a request back
makes waiting letters lose their place. With a shorter time, letters behind slow receivers might never run.
"""


class Standstill:
    """
    Tells whether letters can begin. The polling thread calls ``turned``. The housekeeping thread calls ``reason``.

    A running letter is not a standstill, even if the letter takes long. Its request stays with this worker.
    """

    def __init__(
        self, records: Callable[[], Sequence[Delivery | None]], clock: Callable[[], float] = monotonic
    ) -> None:
        """
        ``records``: returns the record of each lane, or None for a free lane. Returns an empty sequence if the records
        are unknown.
        """
        self._records = records
        self._clock = clock
        self._turned_at = clock()
        self._seen: tuple[Delivery | None, ...] = ()
        self._seen_since = clock()

    def turned(self) -> None:
        """Note that the polling thread is alive."""
        self._turned_at = self._clock()

    def reason(self) -> str:
        """Return why no letter can begin; empty: letters can begin. Compares the lanes' records with earlier calls."""
        now, seen = self._clock(), tuple(self._records())
        if seen != self._seen or None in seen or any(isinstance(one, Detached) for one in seen):
            self._seen, self._seen_since = seen, now
        if now - self._turned_at > _TURNS_WITHIN:
            return f"its polling thread has stood still for {_TURNS_WITHIN:g} s"
        if seen and now - self._seen_since > _MOVES_WITHIN:
            return f"receivers of live events have kept all of its lanes for {_MOVES_WITHIN:g} s"
        return ""
