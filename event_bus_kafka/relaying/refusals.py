"""Decides whether refused rows are to blame, or their topic."""

from __future__ import annotations

from event_bus_kafka.errors import BrokerError
from event_bus_kafka.relaying.claims import Row

_ROWS, _KEYS = 10, 3
"""Numbers of rows and of keys refused in a row from which the topic is to blame: a policy or a validator is wrong."""


class Refusals:
    """
    The rows of a topic that Kafka refused, each sent alone, since it last took one of that topic.

    While the topic is to blame no row is parked, and rows of several keys are tried.
    """

    def __init__(self) -> None:
        self.undecided: list[tuple[Row, BrokerError]] = []
        """Rows that were refused in this batch."""
        self._before = 0
        self._keys: set[bytes] = set()
        self._parked: list[int] = []
        """The ids of parked rows."""

    def __bool__(self) -> bool:
        return bool(self._before or self.undecided)

    @property
    def are_of_the_topic(self) -> bool:
        """Whether ``_ROWS`` rows of ``_KEYS`` keys were refused: then the topic is to blame, not the rows."""
        return self._before + len(self.undecided) >= _ROWS and len(self._keys) >= _KEYS

    def add(self, row: Row, error: BrokerError) -> None:
        self.undecided.append((row, error))
        if len(self._keys) < _KEYS:
            self._keys.add(row.key)

    def end(self) -> list[tuple[Row, BrokerError]]:
        """
        Reset, as Kafka has taken a row of the topic. Return the rows refused before in this batch: they are to blame.
        """
        rows, self.undecided = self.undecided, []
        self._before = 0
        self._keys.clear()
        self._parked.clear()
        return rows

    def renumber(self, row: Row, number: int) -> None:
        """Note that a row was parked under another id than its own."""
        self._parked = [number if parked == row.id else parked for parked in self._parked]

    def decide(self) -> tuple[list[tuple[Row, BrokerError]], list[int]]:
        """Return, at the end of a batch, the rows to park, and the ids of parked rows to put back."""
        rows, self.undecided = self.undecided, []
        self._before += len(rows)
        if not self.are_of_the_topic:
            self._parked += [row.id for row, _ in rows]
            return rows, []
        parked, self._parked = self._parked, []
        return [], parked
