"""
Searches for neglects in the process of a worker or relay, and shows them in the process's metrics and at ``/ready``.
Import this module only if the app is installed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping

from event_bus_kafka.housekeeping.database import alias_of
from event_bus_kafka.models import Heartbeat
from event_bus_kafka.operations.neglects import catalogue
from event_bus_kafka.operations.neglects.catalogue import Neglect
from event_bus_kafka.operations.neglects.in_tables import neglects
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import NeglectFound
from event_bus_kafka.telemetry.state import Running

_OF_OUTBOX = (catalogue.OUTBOX_WAITS, catalogue.PARKED_ROWS_END)
_OF_WORKERS = (catalogue.DEAD_LETTERS_GROW, catalogue.DEAD_LETTERS_END, catalogue.RECEIVER_PAUSED)


class NeglectWatch:
    """
    Context manager. Inside the block, metrics show the number of neglects that :meth:`look` has found, and ``/ready``
    shows a line for each neglect that concerns this process.
    """

    def __init__(
        self,
        running: Running,
        outboxes: Callable[[], Collection[str]],
        *,
        retention: float,
        heartbeats: bool = True,
    ) -> None:
        self._running = running
        self._outboxes = outboxes
        self._retention = retention
        self._heartbeats = heartbeats
        self._found: list[Neglect] | None = None
        """
        Neglects that the last search found. None: no search has ended yet, the last search failed, or the table of
        heartbeats is missing.
        """
        self._has_told = False

    def __enter__(self) -> NeglectWatch:
        self._running.neglects, self._running.remarks = self.counts, self.remarks
        return self

    def __exit__(self, *_: object) -> None:
        self._running.neglects, self._running.remarks = dict, tuple

    def look(self) -> None:
        """
        Search for neglects if the tables exist. The first successful search emits ``NeglectFound`` for each
        neglect. Raises a database error.

        The neglects of the previous search are shown until this search ends. They are dropped if this search fails.
        """
        try:
            found = self._look()
        except BaseException:
            self._found = None
            raise
        self._found = found
        if found is None:
            return
        if not self._has_told:
            for one in found:
                emit(NeglectFound(neglect=one.id, subject=one.subject, message=one.message, remedy=one.remedy))
        self._has_told = True

    def _look(self) -> list[Neglect] | None:
        if alias_of(Heartbeat) is None:
            return None
        return neglects(outboxes=self._outboxes(), retention=self._retention, heartbeats=self._heartbeats)

    def counts(self) -> Mapping[str, int]:
        """Return id of the kind → number of neglects; an empty mapping while the neglects are unknown."""
        found = self._found
        if found is None:
            return {}
        return {kind.id: 0 for kind in catalogue.CATALOGUE if not kind.needs_kafka} | Counter(one.id for one in found)

    def remarks(self) -> tuple[str, ...]:
        """Return a line for each neglect that concerns this process's workers and relays."""
        return tuple(
            f"neglected: {one.id}: {one.subject}: {one.message}" for one in self._found or () if self._concerns(one)
        )

    def _concerns(self, one: Neglect) -> bool:
        if one.kind in _OF_OUTBOX:
            return one.subject in {relay.database for relay in self._running.relays}
        if one.kind is catalogue.TOPIC_HELD:
            return bool(self._running.relays)
        return one.kind is catalogue.CLOCK_OFF or (one.kind in _OF_WORKERS and bool(self._running.consumers))
