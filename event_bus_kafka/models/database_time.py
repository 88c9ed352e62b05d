"""Reads the clock of a database, so that ages of rows do not depend on the clocks of hosts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

_MILLISECONDS = {
    "postgresql": "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
    "mysql": "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) DIV 1000",
    "sqlite": "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
}
VENDORS = _MILLISECONDS.keys()
"""Vendors (``connection.vendor``) of the databases whose clock can be read."""


def now_sql(connection: BaseDatabaseWrapper) -> str:
    """Return an SQL expression for the present time, in milliseconds since the epoch. MariaDB's vendor is ``mysql``."""
    return _MILLISECONDS[connection.vendor]


def database_now(alias: str) -> int:
    """Return the database's present time, in milliseconds since the epoch. Raises a database error."""
    with connections[alias].cursor() as cursor:
        cursor.execute(f"SELECT {now_sql(connections[alias])}")
        return int(cursor.fetchone()[0])


def days_ago(alias: str, days: float) -> datetime:
    """Return the database's present time minus ``days``. Raises a database error."""
    return datetime.fromtimestamp(database_now(alias) / 1000, UTC) - timedelta(days=days)
