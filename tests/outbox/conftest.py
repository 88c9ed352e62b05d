"""Fixtures: services with an outbox on each database."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import call_command
from pytest_django import DjangoDbBlocker

from tests.services.bus import RealBus
from tests.support.databases import Database, connected, database_on
from tests.support.outbox_service import Service

_numbers = itertools.count(1)


@pytest.fixture
def bus(real_bus: RealBus) -> RealBus:
    """Return a bus that uses a real Kafka and a real schema registry."""
    return real_bus


@pytest.fixture
def service(bus: RealBus, topic: str, database: Database) -> Iterator[Service]:
    """Return a service whose default database is `database`."""
    with database.connected("default"):
        with Service(bus=bus, topic=topic, entry=database.entry).configured() as service:
            yield service


@pytest.fixture
def sqlite_service(bus: RealBus, topic: str, tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[Service]:
    """Return a service whose default database is a file of SQLite."""
    entry = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "database")}
    with django_db_blocker.unblock(), connected(entry, "default"):
        call_command("migrate", verbosity=0)
        with Service(bus=bus, topic=topic, entry=entry).configured() as service:
            yield service


@pytest.fixture(params=["sqlite", "postgresql", "mariadb", "mysql"])
def service_anywhere(
    request: pytest.FixtureRequest, bus: RealBus, topic: str, django_db_blocker: DjangoDbBlocker
) -> Iterator[Service]:
    """
    Return a service with an outbox in its default database. Each test runs four times: with databases on SQLite,
    PostgreSQL, MariaDB and MySQL.
    """
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_service")
        return
    server = request.getfixturevalue(request.param)
    with database_on(server, f"anywhere_{next(_numbers)}", django_db_blocker) as database:
        with database.connected("default"):
            with Service(bus=bus, topic=topic, entry=database.entry).configured() as service:
                yield service
