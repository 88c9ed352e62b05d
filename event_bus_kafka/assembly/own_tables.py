"""Reads from the settings how this service maintains its tables. Import this module only if the app is installed."""

from __future__ import annotations

from importlib import import_module

from django.utils.module_loading import import_string

from event_bus_kafka.conf.settings import settings
from event_bus_kafka.interruptions import let_through
from event_bus_kafka.operations.neglects.catalogue import OwnTables


def own_tables() -> OwnTables:
    """Return how this service maintains its tables. Reads only the settings."""
    return OwnTables(
        retention=settings.retention, letters_expire=_letters_expire(), heartbeats=bool(settings.heartbeat)
    )


def _letters_expire() -> bool:
    """
    Return whether workers delete old dead letters from the table. Workers do this if the store of dead letters is the
    table, or a subclass of ``TableStore``.
    """
    choice = settings.dead_letters
    if choice in ("auto", "database", "topic"):
        return choice != "topic"
    try:
        store = import_string(choice)
    except Exception as error:  # noqa: BLE001 a service's module may raise anything: no worker starts with it
        let_through(error)
        return False
    of_table = import_module("event_bus_kafka.dead_letters.table_store").TableStore
    return isinstance(store, type) and issubclass(store, of_table)
