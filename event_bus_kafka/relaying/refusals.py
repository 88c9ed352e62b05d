"""Decides whether Kafka refuses rows because of the rows themselves or because of their topic."""

from __future__ import annotations

from event_bus_kafka.errors import BrokerError
from event_bus_kafka.relaying.claims import Row

_ROWS, _KEYS = 10, 3
"""
A topic counts as the cause of refusals if, since Kafka last accepted a row of the topic, it has refused at least
``_ROWS`` rows with at least ``_KEYS`` different keys.
"""


class Refusals:
    """
    The rows of a topic that were sent alone and refused since Kafka last accepted a row of the topic.

    While the topic counts as the cause of refusals, none of these rows is parked, and rows of several keys are tried.
    """

    def __init__(self) -> None:
        self.undecided: list[tuple[Row, BrokerError]] = []
        """Rows that were refused in this batch and may have to be parked, with Kafka's errors."""
        self._before = 0
        self._keys: set[bytes] = set()
        self._parked: list[int] = []
        """The ids of rows that were parked since Kafka last accepted a row of the topic."""

    def __bool__(self) -> bool:
        return bool(self._before or self.undecided)

    @property
    def are_of_the_topic(self) -> bool:
        """
        Whether at least ``_ROWS`` rows of at least ``_KEYS`` keys were refused. If so, the topic counts as the cause.
        """
        return self._before + len(self.undecided) >= _ROWS and len(self._keys) >= _KEYS

    def add(self, row: Row, error: BrokerError) -> None:
        self.undecided.append((row, error))
        if len(self._keys) < _KEYS:
            self._keys.add(row.key)

    def end(self) -> list[tuple[Row, BrokerError]]:
        """
        Forget all refusals. Return the rows that were refused earlier in this batch. If Kafka has accepted a row of the
        topic since, these rows themselves caused the refusals, and not their topic.
        """
        rows, self.undecided = self.undecided, []
        self._before = 0
        self._keys.clear()
        self._parked.clear()
        return rows

    def renumber(self, row: Row, number: int) -> None:
        """Note that ``row`` was parked under the id ``number`` instead of the id that it had in the outbox."""
        self._parked = [number if parked == row.id else parked for parked in self._parked]

    def decide(self) -> tuple[list[tuple[Row, BrokerError]], list[int]]:
        """
        Return the rows to park, and the ids of parked rows to put back. Call this method at the end of a batch.

        If the topic counts as the cause of the refusals, no row is to be parked. All rows are then to be put back that
        were parked since Kafka last accepted a row of the topic.
        """
        rows, self.undecided = self.undecided, []
        self._before += len(rows)
        if not self.are_of_the_topic:
            self._parked += [row.id for row, _ in rows]
            return rows, []
        parked, self._parked = self._parked, []
        return [], parked
