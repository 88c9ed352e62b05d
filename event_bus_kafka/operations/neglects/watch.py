"""
Searches for neglects in the process of a worker or relay, and shows them in the process's metrics and at ``/ready``.
Import this module only if the app is installed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping

from event_bus_kafka.housekeeping.database import has_no_database
from event_bus_kafka.models import Heartbeat
from event_bus_kafka.operations.neglects import catalogue
from event_bus_kafka.operations.neglects.catalogue import Neglect, Neglected, OwnTables
from event_bus_kafka.operations.neglects.in_tables import neglects
from event_bus_kafka.operations.status.asking import OF_DATABASE, within_if_free
from event_bus_kafka.shown import logger_named
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import NeglectFound
from event_bus_kafka.telemetry.state import Running

logger = logger_named(__name__)

_OF_OUTBOX = (catalogue.OUTBOX_WAITS, catalogue.PARKED_ROWS_END)
_OF_WORKERS = (catalogue.DEAD_LETTERS_GROW, catalogue.DEAD_LETTERS_END, catalogue.RECEIVER_PAUSED)


class NeglectWatch:
    """
    Shows neglects while the ``with`` block runs: the number of each kind as a metric, and at ``/ready`` a line for each
    neglect that concerns this process. If a database hangs or is unavailable, only the neglects that need its answer
    are unknown.
    """

    def __init__(
        self,
        running: Running,
        outboxes: Callable[[], Collection[str]],
        own: OwnTables,
        *,
        seconds: float = OF_DATABASE,
    ) -> None:
        """``seconds``: time limit for the answers of one database."""
        self._running = running
        self._outboxes = outboxes
        self._own = own
        self._ask = within_if_free(seconds, {})
        self._found: Neglected | None = None
        """The result of the last search; None: unknown."""
        self._told: set[tuple[str, str]] = set()
        self._has_told = False

    def __enter__(self) -> NeglectWatch:
        self._running.neglects, self._running.remarks = self.counts, self.remarks
        return self

    def __exit__(self, *_: object) -> None:
        self._running.neglects, self._running.remarks = dict, tuple

    def look(self) -> None:
        """
        Search for neglects, and emit NeglectFound once for each neglect. After the first search that all databases have
        answered, later searches emit nothing. If a database does not answer, log a warning, unless the previous search
        had no answer from it either.

        While a search runs, the metrics show the result of the previous search. If the search raises an exception, the
        metrics show no neglects until a search succeeds.
        """
        try:
            found = self._look()
        except BaseException:
            self._found = None
            raise
        before, self._found = self._found, found
        if found is None:
            return
        for one in found.unanswered:
            if before is None or one.server not in _servers(before):
                logger.warning(
                    "Cannot look for neglects, such as rows that wait too long, in %s. "
                    "Run manage.py event_bus_status to see why.",
                    one.server,
                )
        if not self._has_told:
            self._tell(found.neglects)
        if not found.unanswered:
            self._has_told = True

    def _look(self) -> Neglected | None:
        if has_no_database(Heartbeat):
            return None
        return neglects(outboxes=self._outboxes(), own=self._own, ask=self._ask)

    def _tell(self, found: Iterable[Neglect]) -> None:
        for one in found:
            if (one.id, one.subject) not in self._told:
                emit(NeglectFound(neglect=one.id, subject=one.subject, message=one.message, remedy=one.remedy))
                self._told.add((one.id, one.subject))

    def counts(self) -> Mapping[str, int]:
        """
        Return id of a kind → number of neglects that were found. A kind without a found neglect has the number 0. It
        is left out instead if the search may have missed a neglect, because a database did not answer, a table or the
        heartbeats are missing, or only Kafka shows the kind.
        """
        found = self._found
        if found is None:
            return {}
        known = {kind.id: 0 for kind in catalogue.CATALOGUE if not kind.needs_kafka and kind not in found.unknown}
        return known | Counter(one.id for one in found.neglects)

    def remarks(self) -> tuple[str, ...]:
        """
        Return a line for each neglect that concerns this process's workers and relays. Also return a line for each
        server whose neglects are unknown.
        """
        found = self._found
        if found is None:
            return ()
        return (
            *(f"neglected: {one.id}: {one.subject}: {one.message}" for one in found.neglects if self._concerns(one)),
            *(f"neglects in {server} are not known" for server in _servers(found)),
        )

    def _concerns(self, one: Neglect) -> bool:
        if one.kind in _OF_OUTBOX:
            return one.subject in {relay.database for relay in self._running.relays}
        if one.kind is catalogue.TOPIC_HELD:
            return bool(self._running.relays)
        return one.kind is catalogue.CLOCK_OFF or (one.kind in _OF_WORKERS and bool(self._running.consumers))


def _servers(found: Neglected) -> list[str]:
    return [one.server for one in found.unanswered]
