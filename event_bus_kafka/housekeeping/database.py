"""The database in which a housekeeper writes. Imported only where the app is installed."""

from __future__ import annotations

from django.db import connections, models, router

from event_bus_kafka.models.database_time import VENDORS
from event_bus_kafka.models.presence import were_found


def alias_of(model: type[models.Model]) -> str | None:
    """
    Return the alias that the routers let write a model, its connection in autocommit; None where the table is missing.

    Raises a database error, and whatever routers raise.
    """
    connection = connections[router.db_for_write(model)]
    if connection.vendor not in VENDORS:  # such as where DATABASES is empty
        return None
    connection.set_autocommit(True)  # settings may say otherwise, and nobody would commit
    return connection.alias if were_found(connection, model) else None
