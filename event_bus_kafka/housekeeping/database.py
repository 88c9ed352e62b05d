"""Finds the database to which a periodic task writes. Import this module only if the app is installed."""

from __future__ import annotations

from typing import Any

from django.db import connections, models, router

from event_bus_kafka.models.database_time import VENDORS
from event_bus_kafka.models.presence import were_found


def alias_of(model: type[models.Model]) -> str | None:
    """
    Return the alias of the database to which the routers write a model, and switch its connection to autocommit. Return
    None if the database has no table for the model.

    Return None for an in-memory database, too, as in tests: nobody reads it later, and writing from two threads at the
    same time fails. Raises a database error, and any exception of a router.
    """
    connection: Any = connections[router.db_for_write(model)]
    if connection.vendor not in VENDORS:  # for example if DATABASES is empty
        return None
    if connection.vendor == "sqlite" and connection.is_in_memory_db():
        return None
    connection.set_autocommit(True)  # settings may switch it off, but nothing here commits
    return str(connection.alias) if were_found(connection, model) else None
