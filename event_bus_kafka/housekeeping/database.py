"""Finds the database to which a periodic task writes. Import this module only if the app is installed."""

from __future__ import annotations

from typing import Any

from django.db import connections, models, router

from event_bus_kafka.models.database_time import VENDORS
from event_bus_kafka.models.presence import were_found


def alias_of(model: type[models.Model]) -> str | None:
    """
    Return the alias of the database to which the routers write a model, and switch its connection to autocommit. Return
    None if the database has no table for the model, or if its vendor is not supported.

    Also return None for an in-memory database, which tests use: nobody reads it later, and simultaneous writes from two
    threads would fail. Raises a database error, and any exception of a router.
    """
    if has_no_database(model):
        return None
    connection: Any = connections[router.db_for_write(model)]
    connection.set_autocommit(True)  # settings may say otherwise, and nobody would commit
    return str(connection.alias) if were_found(connection, model) else None


def has_no_database(model: type[models.Model]) -> bool:
    """
    Return whether the model's database has an unsupported vendor or is in memory, according to the settings. Sends no
    query.
    """
    connection: Any = connections[router.db_for_write(model)]
    if connection.vendor not in VENDORS:  # such as where DATABASES is empty
        return True
    return connection.vendor == "sqlite" and bool(connection.is_in_memory_db())
