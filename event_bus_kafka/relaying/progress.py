"""Collects and emits the progress of a relay. Imported only if the app is installed."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

import attrs
from django.db import connections

from event_bus_kafka.db_connections import commit_at_once
from event_bus_kafka.outbox import backlog
from event_bus_kafka.outbox.backlog import Backlog, BriefBacklog
from event_bus_kafka.relaying.relay import StepResult
from event_bus_kafka.relaying.timing import IDLE_TRANSACTION_TIMEOUT
from event_bus_kafka.relaying.topics import Topics
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import RelayProgress
from event_bus_kafka.telemetry.state import HeldTopic, RelayState

_TELL_EVERY = 10.0
_PAUSE_FACTOR = 50
"""
After counting the rows, the relay does not count them again for this many times the duration of the count, because
counting a million rows takes a second.
"""
_PURGE_EVERY = 86_400.0
_SILENT_AFTER = 2.0 * IDLE_TRANSACTION_TIMEOUT
"""
A relay counts as dead if it has ended no step for this many seconds. The time is long, because a step may take nearly
two minutes if the database is slow.
"""


class RelayStates:
    """
    The state of a relay, which any thread may read. The relay reports its steps here.

    ``read`` queries the database and may block; ``last`` never blocks.
    """

    def __init__(self, database: str, topics: Topics, clock: Callable[[], float] = monotonic) -> None:
        self.database = database
        self._topics = topics
        self._clock = clock
        self._stepped_at = clock()
        self._trouble = ""
        self._backlog: BriefBacklog | None = None

    def stepped(self, result: StepResult) -> None:
        """Note the result of a step."""
        self._stepped_at, self._trouble = self._clock(), result.trouble

    def read(self, connection: Any) -> RelayState:
        """
        Return the state of the relay, with a backlog that is queried now. ``connection``: a connection of the calling
        thread, in autocommit mode. Raises a database error.
        """
        self._backlog = BriefBacklog.read(connection)
        return self._state(self._backlog)

    @property
    def last(self) -> RelayState | None:
        """
        The current state of the relay, with the backlog that any thread read last; None: the backlog was never read.
        """
        return self._state(self._backlog) if self._backlog else None

    @property
    def obstacles(self) -> tuple[str, ...]:
        """The text of the error that interrupted the last step, as the only item; empty if no error interrupted it."""
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


class ProgressReports:
    """
    Reports rates and backlog every ten seconds, less often if counting is slow.

    Also warns if rows wait for too long, and deletes old parked rows once a day.
    """

    def __init__(
        self,
        alias: str,
        topics: Topics,
        states: RelayStates,
        *,
        retention: Callable[[], float],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """
        ``states`` gets each step's result. ``retention`` returns the days after which parked rows are deleted; it is
        called before each deletion.
        """
        self._alias = alias
        self._topics = topics
        self._states = states
        self._retention = retention
        self._clock = clock
        self._told = self._sent_last = clock()
        self._due = self._told + _TELL_EVERY
        self._purged: float | None = None
        self._sent = 0
        self.is_drained = False

    @property
    def seconds_without_success(self) -> float:
        return self._clock() - self._sent_last

    def __call__(self, stepped: StepResult) -> None:
        now = self._clock()
        self._states.stepped(stepped)
        self._sent += stepped.sent
        self.is_drained = not stepped.left
        if stepped.sent or stepped.parked:
            self._sent_last = now
        if self._states.last is None:
            self._read()
        if now >= self._due:
            try:
                self._tell(now)
            finally:  # even after an error: a count that failed is not repeated at once
                self._due = now + max(_TELL_EVERY, _PAUSE_FACTOR * (self._clock() - now))
            self._purge(now)

    def _tell(self, now: float) -> None:
        connections[self._alias].close_if_unusable_or_obsolete()
        self._read()
        found = Backlog.of(self._alias)
        emit(
            RelayProgress(
                database=self._alias,
                sent=self._sent,
                rate=self._sent / (now - self._told),
                depth=found.depth,
                oldest=found.oldest,
                parked=tuple(found.parked.items()),
                held=self._topics.held,
            )
        )
        backlog.warn_if_stalled(self._alias, found.oldest)
        self._told, self._sent = now, 0

    def _read(self) -> None:
        commit_at_once(connections[self._alias])  # otherwise a transaction would stay open until the next query
        self._states.read(connections[self._alias])

    def _purge(self, now: float) -> None:
        if self._purged is None or now - self._purged >= _PURGE_EVERY:
            self._purged = now
            backlog.purge(self._alias, self._retention())
