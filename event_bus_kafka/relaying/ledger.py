"""Where each row of a batch is, and how many would come twice if the relay died now."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from event_bus_kafka.errors import BrokerError
from event_bus_kafka.relaying.claims import CHUNK_ROWS, Row

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
        """To be parked."""
        self.parked: list[tuple[Row, BrokerError]] = []
        """With the ids under which they are."""

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
