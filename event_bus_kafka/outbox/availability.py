"""The way into the outbox, open or not: the tables are there only where the app is installed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module

import attrs
from django.apps import apps
from django.db import connections

from event_bus_kafka.errors import AppendFailed, OutboxMissing
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import AppendToOutboxFailed, EventAppended
from event_bus_kafka.wire.records import EncodedEvent

_APP = "event_bus_kafka"


@attrs.frozen
class Outbox:
    """
    Appends events to the outbox, where that is possible: its app may not be installed, nor its tables be there.

    ``notify``: whether relays are told of new rows, asked at each append.
    """

    _notify: Callable[[], bool]

    def append_if_available(self, events: Sequence[EncodedEvent], database: str | None) -> bool:
        """
        Put events into the outbox; False if they have to leave in another way.

        Where the transaction is doomed by the attempt they have no other: they leave with it or not at all. Raises
        :class:`ConfigurationError` where nothing says which database.
        """
        try:
            if not apps.is_installed(_APP):
                raise AppendFailed(f"{_APP!r} is not in INSTALLED_APPS")
            self._append(events, database)
        except AppendFailed as error:
            for one in events:
                emit(AppendToOutboxFailed(**one.names, error=error, doomed=error.doomed))
            return error.doomed
        for one in events:
            emit(EventAppended(**one.names))
        return True

    def append_separately(self, events: Sequence[EncodedEvent], database: str) -> None:
        """
        Put events into the outbox of a database, by themselves: in a thread that has no transaction open.

        Raises :class:`OutboxMissing`, or whatever a database does.
        """
        if not apps.is_installed(_APP):
            raise OutboxMissing(f"{_APP!r} is not in INSTALLED_APPS")
        if database not in connections:
            raise OutboxMissing(f"there is no database {database!r}")
        connections[database].set_autocommit(True)  # settings may say otherwise, and nobody would commit
        self._append(events, database)

    def _append(self, events: Sequence[EncodedEvent], database: str | None) -> None:
        append = import_module("event_bus_kafka.outbox.append").append  # has models
        append(events, database=database, notify=self._notify)
