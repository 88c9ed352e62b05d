"""The documentation names the versions of the databases that the tests use."""

from __future__ import annotations

import platform
import sqlite3

import pytest
from django.db import connections

from tests.support.databases import Database
from tests.unit.test_versions import documented

PRODUCTS = {"postgresql": "PostgreSQL", "mariadb": "MariaDB", "mysql": "MySQL"}

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        platform.freedesktop_os_release()["VERSION_CODENAME"] != "bookworm", reason="other systems have other databases"
    ),
]


def test_the_documentation_names_the_version_of_each_database_server(database: Database) -> None:
    with database.connected():
        first, second, *_ = connections["real"].get_database_version()
    number = f"{first}" if database.vendor == "postgresql" else f"{first}.{second}"
    assert f"{PRODUCTS[database.vendor]} {number}" in documented()["make test"]["Databases"].split(", ")


def test_the_documentation_names_the_version_of_sqlite() -> None:
    for row in documented().values():
        assert f"SQLite {sqlite3.sqlite_version.rpartition('.')[0]}" in row["Databases"].split(", ")
