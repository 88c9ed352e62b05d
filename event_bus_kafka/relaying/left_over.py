"""What a batch could not settle in the database is settled before anything else is sent."""

from __future__ import annotations

from event_bus_kafka.errors import BrokerError
from event_bus_kafka.outbox.chunks import in_chunks
from event_bus_kafka.relaying.claims import CHUNK_ROWS, Claims, Row
from event_bus_kafka.relaying.ledger import Ledger


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
