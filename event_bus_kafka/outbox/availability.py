"""The way into the outbox, open or not: the tables are there only where the app is installed."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from django.apps import apps
from django.db import connections

from event_bus_kafka.errors import AppendFailed, OutboxMissing
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import AppendToOutboxFailed, EventAppended
from event_bus_kafka.wire.records import EncodedEvent

_APP = "event_bus_kafka"


def append_if_available(events: Sequence[EncodedEvent], database: str | None) -> bool:
    """
    Put events into the outbox; False if they have to leave in another way.

    Where the transaction is doomed by the attempt they have no other: they leave with it or not at all. Raises
    :class:`ConfigurationError` where nothing says which database.
    """
    try:
        if not apps.is_installed(_APP):
            raise AppendFailed(f"{_APP!r} is not in INSTALLED_APPS")
        _append(events, database)
    except AppendFailed as error:
        for one in events:
            emit(AppendToOutboxFailed(**one.names, error=error, doomed=error.doomed))
        return error.doomed
    for one in events:
        emit(EventAppended(**one.names))
    return True


def append_separately(events: Sequence[EncodedEvent], database: str) -> None:
    """
    Put events into the outbox of a database, by themselves: in a thread that has no transaction open.

    Raises :class:`OutboxMissing`, or whatever a database does.
    """
    if not apps.is_installed(_APP):
        raise OutboxMissing(f"{_APP!r} is not in INSTALLED_APPS")
    if database not in connections:
        raise OutboxMissing(f"there is no database {database!r}")
    connections[database].set_autocommit(True)  # settings may say otherwise, and nobody would commit
    _append(events, database)


def _append(events: Sequence[EncodedEvent], database: str | None) -> None:
    import_module("event_bus_kafka.outbox.append").append(events, database=database)  # has models
