"""Creates a separate database on a real server for a test, and connects the test's process to it."""

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
"""
The servers of the fixtures `database` and `service`. Each test that uses one of these fixtures runs once per server.
"""
on_mysql_too = pytest.mark.parametrize("database", _ALL, indirect=True)
"""
Marks tests that run on MySQL in `make test`, too, because their results on MySQL and on MariaDB may differ. All other
tests run on MySQL only in `make test-long`.
"""


@attrs.frozen(kw_only=True)
class Database:
    """A migrated database. Tests may stop, kill and start its server."""

    server: DatabaseServer
    entry: dict[str, Any]  # an entry of Django's DATABASES
    blocker: DjangoDbBlocker

    @property
    def vendor(self) -> str:
        return self.server.vendor

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Return the settings of a service process whose default database is this database."""
        return {"DATABASES": {"default": self.entry}} | changes

    @contextmanager
    def connected(self, alias: str = "real") -> Iterator[BaseDatabaseWrapper]:
        """
        While the block runs, add the database to Django's connections under an alias. The test does not need the mark
        django_db.
        """
        with self.blocker.unblock(), connected(self.entry, alias) as connection:
            yield connection


@contextmanager
def connected(entry: dict[str, Any], alias: str = "real") -> Iterator[BaseDatabaseWrapper]:
    """
    While the block runs, add an alias to Django's connections. If the alias already exists, it refers to the given
    database meanwhile.

    At the end the connection of the calling thread is closed. Other threads must close their connections themselves.
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
            open_connections.adopt()  # the connection is open already, so Django sends no signal
        else:
            del connections.settings[alias], connections[alias]


def end_session(connection: BaseDatabaseWrapper) -> None:
    """Make the server end the session of a connection. The client notices the end only at its next SQL statement."""
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
    """While the block runs, hide the connections that other tests have opened in this thread."""
    open_connections.by_alias.clear()
    try:
        yield
    finally:
        open_connections.by_alias.clear()
        open_connections.adopt()


@contextmanager
def database_on(server: DatabaseServer, name: str, blocker: DjangoDbBlocker) -> Iterator[Database]:
    """Create a migrated database. At the end drop the database, even if the test has stopped the server."""
    server.start()
    server.copy(_migrated(server, blocker), name)
    try:
        yield Database(server=server, entry=server.settings(name), blocker=blocker)
    finally:
        server.start()
        server.drop(name)


@cache
def _migrated(server: DatabaseServer, blocker: DjangoDbBlocker) -> str:
    """
    Return the name of a migrated database on ``server``. The database is created once per server. Each test gets a
    copy, because a copy takes much less time than a migration.
    """
    name = "migrated"
    with blocker.unblock(), connected(server.settings(name), "migrated"):
        call_command("migrate", database="migrated", verbosity=0)
    return name
