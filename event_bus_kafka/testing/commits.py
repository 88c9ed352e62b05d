"""
Determines whether the transaction in which an event was emitted has been committed. This also works in tests that never
commit.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

import attrs
from django.db.backends.base.base import BaseDatabaseWrapper

from event_bus_kafka.outbox.transactions import is_manual


class State(Enum):
    """The state of an emitted event."""

    SENT = "sent"
    PENDING = "emitted in a transaction that is still open: it is sent at the commit"
    ROLLED_BACK = "emitted in a transaction that was rolled back: it is never sent"


@attrs.define(eq=False)
class Commit:
    """
    Learns from Django's ``on_commit`` whether a transaction commits. The producer uses ``on_commit``, too.

    Django's TestCase wraps each test in a transaction that never commits. This transaction is ignored. In such a test
    the service's own ``atomic()`` blocks are savepoints. An event counts as sent when these blocks have ended without a
    rollback.
    """

    _connection: BaseDatabaseWrapper
    _blocks: list[Any]
    """The service's ``atomic()`` blocks that were open when the event was emitted."""
    _came: bool = False

    @classmethod
    def awaited(cls, connection: BaseDatabaseWrapper) -> Commit:
        """Return an object that learns whether the connection's current transaction commits."""
        commit = cls(connection, _blocks_of_service(connection))
        connection.on_commit(commit, robust=True)
        return commit

    def __call__(self) -> None:
        self._came = True

    @property
    def state(self) -> State:
        """The current state of the event that waits for this commit."""
        if self._came:
            return State.SENT
        waiting = any(entry[1] is self for entry in self._connection.run_on_commit)
        if not waiting or self._connection.needs_rollback:  # Django drops callbacks when it rolls back their savepoint
            return State.ROLLED_BACK
        still_open = _blocks_of_service(self._connection)
        if any(block is other for block in self._blocks for other in still_open):
            return State.PENDING
        return State.SENT


def state_of(commits: tuple[Commit, ...]) -> State:
    """Return the state of an event that waits for all ``commits``."""
    states = {commit.state for commit in commits}
    return next((state for state in (State.ROLLED_BACK, State.PENDING) if state in states), State.SENT)


def is_open_in_service(connection: BaseDatabaseWrapper) -> bool:
    """Return whether the service has an open transaction in addition to the transaction of the test."""
    return bool(_blocks_of_service(connection)) or is_manual(connection)


def _blocks_of_service(connection: BaseDatabaseWrapper) -> list[Any]:
    return [block for block in connection.atomic_blocks if not getattr(block, "_from_testcase", False)]
