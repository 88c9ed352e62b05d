"""
Knows the open database connections of the calling thread without asking Django, because asking Django takes as long
as encoding an event.
"""

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
    The calling thread's connections by alias, each with the monotonic time at which it was opened or first seen here.
    Some of them may be closed.
    """

    def __init__(self) -> None:
        self.by_alias: dict[str, BaseDatabaseWrapper] = {}
        self.replaced: list[ReferenceType[BaseDatabaseWrapper]] = []
        """
        Open connections that ``by_alias`` no longer contains, because this thread has opened another connection with
        the same alias, for example in another event loop.
        """
        self.since: dict[str, float] = {}
        if "settings" in vars(connections):  # connections.all() would read DATABASES, maybe too early
            self.adopt()

    def adopt(self) -> None:
        """
        Add the calling thread's open connections that ``by_alias`` lacks. Such connections were opened before this
        module was imported, or in another thread.
        """
        for connection in connections.all(initialized_only=True):
            if connection.connection is not None and self.by_alias.get(connection.alias) is not connection:
                self.remember(connection)

    def remember(self, connection: BaseDatabaseWrapper) -> None:
        """Add an open connection of this thread, with the present time."""
        former = self.by_alias.get(connection.alias)
        if former is not None and former is not connection:
            open_still = (one for one in (former, *self._replaced()) if one.connection is not None)
            self.replaced = [ref(one) for one in open_still if one is not connection]
        self.by_alias[connection.alias], self.since[connection.alias] = connection, monotonic()

    def any_is(self, condition: Callable[[BaseDatabaseWrapper], bool]) -> bool:
        """Return whether ``condition`` is true of at least one connection of this thread that may be open."""
        for connection in self.by_alias.values():
            if condition(connection):
                return True
        return bool(self.replaced) and any(map(condition, self._replaced()))

    def _replaced(self) -> list[BaseDatabaseWrapper]:
        return [one for reference in self.replaced if (one := reference()) is not None]


def identity(connection: BaseDatabaseWrapper) -> tuple[str, str]:
    """
    Return the alias and the name of the connection's database. Both are needed, because an alias refers to another
    database during a test run.
    """
    return connection.alias, str(connection.settings_dict["NAME"])


open_connections = OpenConnections()


def _remember(connection: BaseDatabaseWrapper, **_: Any) -> None:
    known = connection.alias in connections  # not true while Django creates and drops databases
    if known and connections[connection.alias] is connection:
        open_connections.remember(connection)


connection_created.connect(_remember, dispatch_uid="event_bus_kafka.db_connections")


def names_of_databases() -> dict[str, str]:
    """Return the names of all databases, by alias. During a test run these are the names of the test databases."""
    return {alias: str(entry["NAME"]) for alias, entry in connections.settings.items()}


def commit_at_once(connection: BaseDatabaseWrapper) -> None:
    """
    Switch autocommit on, even if the settings switch it off. Without autocommit, statements outside of ``atomic()``
    would never be committed. Does nothing inside ``atomic()``.
    """
    if not connection.in_atomic_block:
        connection.set_autocommit(True)


def close(connection: BaseDatabaseWrapper) -> None:
    """
    Close a connection and suppress database errors. For example, mysqlclient raises an error if the server has already
    ended the connection. Django's wrapper is closed even after an error.
    """
    with suppress(Error):
        connection.close()
