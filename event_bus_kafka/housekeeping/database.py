"""The database in which a housekeeper writes. Imported only where the app is installed."""

from __future__ import annotations

from typing import Any

from django.db import connections, models, router

from event_bus_kafka.models.database_time import VENDORS
from event_bus_kafka.models.presence import were_found


def alias_of(model: type[models.Model]) -> str | None:
    """
    Return the alias that the routers let write a model, its connection in autocommit; None where the table is missing.

    None too for a database in memory, as of tests: nobody reads it later, and two threads that write it at once get
    errors. Raises a database error, and whatever routers raise.
    """
    if has_no_database(model):
        return None
    connection: Any = connections[router.db_for_write(model)]
    connection.set_autocommit(True)  # settings may say otherwise, and nobody would commit
    return str(connection.alias) if were_found(connection, model) else None


def has_no_database(model: type[models.Model]) -> bool:
    """Return whether a model can be in none, or is in one in memory, by its settings: no database is asked."""
    connection: Any = connections[router.db_for_write(model)]
    if connection.vendor not in VENDORS:  # such as where DATABASES is empty
        return True
    return connection.vendor == "sqlite" and bool(connection.is_in_memory_db())
