"""Where each row of a batch is, how many would come twice if the relay died now, and what could not be settled."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from event_bus_kafka.errors import BrokerError
from event_bus_kafka.outbox.chunks import in_chunks
from event_bus_kafka.relaying.claims import CHUNK_ROWS, Claims, Row

MOST_TWICE = 4 * CHUNK_ROWS
"""Rows at most that a relay which is killed leaves in the outbox although Kafka may have them."""


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
    Rows that Kafka has and that could not be removed, and rows that it refused and that could not be parked: a right is
    missing, a trigger raises, a disk is full, a row is locked. While there are any, nothing is sent: it would be sent
    again and again.
    """

    def __init__(self, claims: Claims) -> None:
        self._claims = claims
        self._taken: dict[int, int] = {}
        """What each row was, by its id: a database that was restored may give an id again."""
        self._refused: list[tuple[Row, BrokerError]] = []

    def __bool__(self) -> bool:
        return bool(self._taken or self._refused)

    def keep(self, ledger: Ledger) -> None:
        """Keep what may be unsettled of a batch that failed."""
        self._taken |= {row.id: hash(row) for row in ledger.unremoved}
        self._refused += ledger.refused

    def settle(self) -> None:
        """Remove and park, at first one row alone. Raises a database error; what was settled by then is done."""
        ids = list(self._taken)
        for part in (ids[:1], *in_chunks(ids[1:], lambda _: 0, most=CHUNK_ROWS, most_bytes=1)):
            found = self._claims.rows(part)
            self._claims.remove([row.id for row in found if hash(row) == self._taken[row.id]], at_once=True)
            for number in part:
                del self._taken[number]
        while self._refused:
            row, error = self._refused[0]
            if self._claims.rows([row.id]) == [row]:
                self._claims.park([(row, error)], at_once=True)
            del self._refused[0]
