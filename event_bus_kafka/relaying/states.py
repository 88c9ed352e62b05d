"""The state of a relay as a value, for threads that look on. Imported only where the app is installed."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

import attrs

from event_bus_kafka.outbox.backlog import BriefBacklog
from event_bus_kafka.relaying.relay import StepResult
from event_bus_kafka.relaying.timing import IDLE_TRANSACTION_TIMEOUT
from event_bus_kafka.relaying.topics import Topics
from event_bus_kafka.telemetry.state import HeldTopic, RelayState

_SILENT_AFTER = 2.0 * IDLE_TRANSACTION_TIMEOUT
"""Seconds without the end of a step after which a relay is taken for dead. A database may take a while to answer."""


class RelayStates:
    """
    Tells the state of a relay. Its steps are told to it; any thread may ask.

    ``read``, a database's thing, is for threads that may wait for one; ``last`` for those that may not.
    """

    def __init__(self, database: str, topics: Topics, clock: Callable[[], float] = monotonic) -> None:
        self.database = database
        self._topics = topics
        self._clock = clock
        self._stepped_at = clock()
        self._trouble = ""
        self._backlog: BriefBacklog | None = None

    def stepped(self, result: StepResult) -> None:
        """Take what a step of the relay came to."""
        self._stepped_at, self._trouble = self._clock(), result.trouble

    def read(self, connection: Any) -> RelayState:
        """Look at the outbox on a connection of the calling thread, in autocommit. Raises a database error."""
        self._backlog = BriefBacklog.read(connection)
        return self._state(self._backlog)

    @property
    def last(self) -> RelayState | None:
        """What was read last, of whatever thread, with how the relay is now. None: nothing was."""
        return self._state(self._backlog) if self._backlog else None

    @property
    def obstacles(self) -> tuple[str, ...]:
        """Why the last step sent nothing although it should have."""
        return (self._trouble,) if self._trouble else ()

    @property
    def is_alive(self) -> bool:
        return self._clock() - self._stepped_at <= _SILENT_AFTER

    def _state(self, backlog: BriefBacklog) -> RelayState:
        return RelayState(
            database=self.database,
            held_topics=tuple(
                HeldTopic(topic=one.name, seconds=self._clock() - one.held_since, reason=one.held_because)
                for one in tuple(self._topics.values())
                if one.is_held
            ),
            obstacles=self.obstacles,
            is_alive=self.is_alive,
            **attrs.asdict(backlog),
        )
