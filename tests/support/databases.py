"""A database of its own for a test, on a real server, and connections to it from inside the test's process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import attrs
import pytest
from django.core.management import call_command
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler
from pytest_django import DjangoDbBlocker

from event_bus_kafka.db_connections import open_connections
from tests.services.database import DatabaseServer
from tests.support.scale import LONG

_ALL = [pytest.param(name, marks=pytest.mark.real) for name in ("postgresql", "mariadb", "mysql")]
DATABASES = _ALL if LONG else _ALL[:2]
"""The databases on which each test with the fixture `database` or `service` runs."""
on_mysql_too = pytest.mark.parametrize("database", _ALL, indirect=True)
"""For tests of what MySQL and MariaDB might do differently. The others run on MySQL in `make test-long` alone."""


@attrs.frozen(kw_only=True)
class Database:
    """A migrated database; `server` can be stopped, killed and started."""

    server: DatabaseServer
    entry: dict[str, Any]  # as in Django's DATABASES
    blocker: DjangoDbBlocker

    @property
    def vendor(self) -> str:
        return self.server.vendor

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Return settings of a service process whose default database it is."""
        return {"DATABASES": {"default": self.entry}} | changes

    @contextmanager
    def connected(self, alias: str = "real") -> Iterator[BaseDatabaseWrapper]:
        """Let Django reach it under an alias in a test without the mark django_db, or in one with it."""
        with self.blocker.unblock(), connected(self.entry, alias) as connection:
            yield connection


@contextmanager
def connected(entry: dict[str, Any], alias: str = "real") -> Iterator[BaseDatabaseWrapper]:
    """
    Add an alias to Django's connections, or let it mean another database, for the duration.

    The connection of the calling thread is closed at the end; other threads close theirs.
    """
    kept = (connections.settings[alias], connections[alias]) if alias in connections else None
    connections.settings[alias] = ConnectionHandler({"default": dict(entry)}).settings["default"]
    connections[alias] = connection = connections.create_connection(alias)
    try:
        yield connection
    finally:
        connection.close()
        if kept:
            connections.settings[alias], connections[alias] = kept
            open_connections.adopt()  # it is open already, and does not tell again
        else:
            del connections.settings[alias], connections[alias]


def end_session(connection: BaseDatabaseWrapper) -> None:
    """Have the server end the session of a connection, which does not know it yet."""
    raw: Any = connection.connection
    other = connection.copy()
    with other.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"SELECT pg_terminate_backend({raw.info.backend_pid}, 5000)")
        else:
            cursor.execute(f"KILL {raw.thread_id()}")
    other.close()


@contextmanager
def none_known() -> Iterator[None]:
    """Let no connection be known that other tests have opened in this thread, for the duration."""
    open_connections.by_alias.clear()
    try:
        yield
    finally:
        open_connections.by_alias.clear()
        open_connections.adopt()


@contextmanager
def database_on(server: DatabaseServer, name: str, blocker: DjangoDbBlocker) -> Iterator[Database]:
    """Create a migrated database; drop it at the end, wherever the test left the server."""
    server.start()
    server.copy(_migrated(server, blocker), name)
    try:
        yield Database(server=server, entry=server.settings(name), blocker=blocker)
    finally:
        server.start()
        server.drop(name)


@cache
def _migrated(server: DatabaseServer, blocker: DjangoDbBlocker) -> str:
    """Migrate once per server: a copy takes a fraction of the time."""
    name = "migrated"
    with blocker.unblock(), connected(server.settings(name), "migrated"):
        call_command("migrate", database="migrated", verbosity=0)
    return name
