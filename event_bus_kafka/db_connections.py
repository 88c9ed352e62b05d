"""The database connections that a thread has opened. Asking Django for them takes as long as encoding an event."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any
from weakref import ReferenceType, ref

from django.db import Error, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created


class OpenConnections(threading.local):
    """
    The calling thread's connections, by alias, with the times since when they are open. Some may be closed by now.
    """

    def __init__(self) -> None:
        self.by_alias: dict[str, BaseDatabaseWrapper] = {}
        self.replaced: list[ReferenceType[BaseDatabaseWrapper]] = []
        """Connections that were replaced while they were open, maybe by another event loop of this thread."""
        self.since: dict[str, float] = {}
        if "settings" in vars(connections):  # else none is open: to ask would read DATABASES, maybe before it is there
            self.adopt()

    def adopt(self) -> None:
        """Remember connections that were opened before this module was imported, or in another thread."""
        for connection in connections.all(initialized_only=True):
            if connection.connection is not None and self.by_alias.get(connection.alias) is not connection:
                self.remember(connection)

    def remember(self, connection: BaseDatabaseWrapper) -> None:
        """Note that a connection was opened now."""
        former = self.by_alias.get(connection.alias)
        if former is not None and former is not connection:
            open_still = (one for one in (former, *self._replaced()) if one.connection is not None)
            self.replaced = [ref(one) for one in open_still if one is not connection]
        self.by_alias[connection.alias], self.since[connection.alias] = connection, monotonic()

    def any_is(self, condition: Callable[[BaseDatabaseWrapper], bool]) -> bool:
        """Whether a condition holds for one of all that may be open."""
        for connection in self.by_alias.values():
            if condition(connection):
                return True
        return bool(self.replaced) and any(map(condition, self._replaced()))

    def _replaced(self) -> list[BaseDatabaseWrapper]:
        return [one for reference in self.replaced if (one := reference()) is not None]


def identity(connection: BaseDatabaseWrapper) -> tuple[str, str]:
    """Return alias and name of a database: an alias may come to mean another one, as in tests."""
    return connection.alias, str(connection.settings_dict["NAME"])


open_connections = OpenConnections()


def _remember(connection: BaseDatabaseWrapper, **_: Any) -> None:
    known = connection.alias in connections  # not so where Django makes and drops databases
    if known and connections[connection.alias] is connection:
        open_connections.remember(connection)


connection_created.connect(_remember, dispatch_uid="event_bus_kafka.db_connections")


def names_of_databases() -> dict[str, str]:
    """Return the names of all databases, by alias. Those of a test run are others."""
    return {alias: str(entry["NAME"]) for alias, entry in connections.settings.items()}


def commit_at_once(connection: BaseDatabaseWrapper) -> None:
    """Have each statement outside of a transaction commit: settings may say otherwise, and nobody would commit."""
    if not connection.in_atomic_block:
        connection.set_autocommit(True)


def close(connection: BaseDatabaseWrapper) -> None:
    """Close a connection that its server may have ended: mysqlclient raises then, yet the wrapper lets go of it."""
    with suppress(Error):
        connection.close()
