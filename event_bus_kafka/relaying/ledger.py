"""Where each row of a batch is, how many would come twice if the relay died now, and what could not be settled."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from django.db import Error

from event_bus_kafka.errors import BrokerError
from event_bus_kafka.relaying.claims import CHUNK_ROWS, BatchPlan, Claims, Row
from event_bus_kafka.relaying.topics import Topics

MOST_TWICE = 4 * CHUNK_ROWS
"""Rows at most that a relay which is killed leaves in the outbox although Kafka may have them."""
MOST_PARKED = 1_000
"""Refused rows with which a batch ends: to park one takes a statement, and all that time the claim lasts."""


class Ledger:
    """
    The rows of one batch. A row is *in flight* until Kafka reports it; then it is *confirmed*, *removing* once its
    removal has begun, and gone; or it is *refused*; or it goes back to those that wait.

    What is in flight, confirmed or removing comes twice if the relay is killed: never more than ``MOST_TWICE`` rows.
    """

    def __init__(self) -> None:
        self.in_flight = 0
        self.gone = 0
        self.confirmed: list[Row] = []
        """With their bodies, so that there must never be many of them."""
        self.removing: deque[list[Row]] = deque()
        self.refused: list[tuple[Row, BrokerError]] = []

    @property
    def unsettled(self) -> int:
        """How many rows Kafka may have that are still in the outbox."""
        return self.in_flight + len(self.confirmed) + sum(map(len, self.removing))

    @property
    def taken(self) -> int:
        """How many rows Kafka has."""
        return len(self.confirmed) + sum(map(len, self.removing)) + self.gone

    @property
    def unremoved(self) -> list[Row]:
        """The rows that Kafka has and that are still in the outbox, as far as is known."""
        return [row for rows in (*self.removing, self.confirmed) for row in rows]

    def begin(self) -> None:
        """A row is handed to the client."""
        self.in_flight += 1

    def confirm(self, row: Row) -> None:
        """Kafka has a row that was in flight."""
        self.in_flight -= 1
        self.confirmed.append(row)

    def take_back(self) -> None:
        """Kafka has not taken a row that was in flight: it waits in the outbox."""
        self.in_flight -= 1

    def refuse(self, refused: Iterable[tuple[Row, BrokerError]]) -> None:
        """Rows are to be parked."""
        self.refused += refused

    def begin_removal(self) -> list[Row]:
        """Return all rows that are confirmed, if any for :meth:`end_removal` once they have left the outbox."""
        rows, self.confirmed = self.confirmed, []
        if rows:
            self.removing.append(rows)
        return rows

    def end_removal(self) -> None:
        """The rows of the oldest removal have left the outbox."""
        self.gone += len(self.removing.popleft())


class LeftOver:
    """
    What could not be removed or parked, since a right is missing, a trigger raises, a disk is full or a row is locked:
    one row of each topic, the first. Until it has left the outbox its topic is held, lest rows be sent again and again.

    The rows behind it are sent again, once: another relay may have sent some of them by now, and a key of which this
    one removed the rest would end with an old event. How far the next removal gets is tried with one row of the next
    batch, then with twice as many each time.
    """

    def __init__(self, claims: Claims, topics: Topics) -> None:
        self._claims = claims
        self._topics = topics
        self._rows: dict[str, tuple[Row, BrokerError | None]] = {}
        """By topic; the error of one that is to be parked."""
        self._most = CHUNK_ROWS
        """How many rows the next batch may have, less than a chunk."""

    def keep(self, ledger: Ledger) -> None:
        """Keep what may be unsettled of a batch that failed."""
        unsettled: list[tuple[Row, BrokerError | None]] = [*((row, None) for row in ledger.unremoved), *ledger.refused]
        for row, error in sorted(unsettled, key=lambda found: found[0].id):
            self._rows.setdefault(row.topic, (row, error))
            self._most = 1

    def settle(self) -> None:
        """
        Remove or park the row of each topic that is due, or hold the topic. Raises a database error if the database
        does not answer.
        """
        for name, (row, error) in list(self._rows.items()):
            if self._topics[name].takes_rows:
                try:
                    self._let_go(row, error)
                except Error as failure:
                    self._claims.rows([row.id])
                    self._topics[name].hold(failure)
                else:
                    del self._rows[name]

    def first_of(self, plan: BatchPlan) -> BatchPlan:
        """Return what may be sent of a plan."""
        if self._most >= CHUNK_ROWS or not plan.chunks:
            return plan
        return BatchPlan([plan.chunks[0][: self._most]], is_full=True)

    def settled(self) -> None:
        """All rows of a batch have left the outbox that were to leave it."""
        self._most = min(2 * self._most, CHUNK_ROWS)

    def _let_go(self, row: Row, error: BrokerError | None) -> None:
        """Not what has the same id since a database was restored."""
        if self._claims.rows([row.id]) != [row]:
            return
        if error is None:
            self._claims.remove([row.id], at_once=True)
        else:
            self._claims.park([(row, error)], at_once=True)
