"""Appends events to the outbox if it exists. Its tables exist only if the app is installed and migrated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module

import attrs
from django.apps import apps
from django.core.exceptions import SynchronousOnlyOperation
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from event_bus_kafka.errors import AppendFailed, OutboxMissing
from event_bus_kafka.interruptions import let_through
from event_bus_kafka.outbox.database import home, may_have_outbox, open_elsewhere, outbox_connection, takes_rows
from event_bus_kafka.outbox.transactions import after_all, after_commit
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import AppendToOutboxFailed, EventAppended
from event_bus_kafka.wire.records import EncodedEvent

_APP = "event_bus_kafka"


@attrs.frozen
class Outbox:
    """
    Appends events to the outbox if the app is installed and its tables exist.

    ``_notify`` is called before each INSERT on PostgreSQL, and returns whether to inform relays of the new rows.
    """

    _notify: Callable[[], bool]

    def append_if_available(
        self, events: Sequence[EncodedEvent], database: str | None, otherwise: Callable[[EncodedEvent, str], None]
    ) -> bool:
        """
        Put events into the outbox and return True; return False if the caller has to send them in another way.
        ``database``: the alias in the topic's settings; None: :func:`outbox_connection` chooses the database.

        True is also returned in four cases in which this call inserts nothing:

        1. The attempt fails and dooms the transaction. The events are discarded with the transaction.
        2. The attempt fails, but the transaction can continue without the events. After the commit, ``otherwise`` is
           called with each event and the database's alias.
        3. The transaction is marked for a rollback. If it commits nevertheless, the events are appended after the
           commit.
        4. Transactions are open only on databases without an outbox. The events are appended after all these
           transactions have committed.

        Raises Django's :class:`SynchronousOnlyOperation` in an event loop, where Django permits no access to a
        database.
        """
        connection = None
        try:
            if not apps.is_installed(_APP):
                raise AppendFailed(f"{_APP!r} is not in INSTALLED_APPS")
            connection = outbox_connection(database)
            if others := [] if database else open_elsewhere(connection):
                after_all(others, partial(self._append_after, events, connection.alias, otherwise))
                return True
            if not self._append(connection, events):  # marked for a rollback: append after the commit, if it comes
                after_all([connection], partial(self._append_after, events, connection.alias, otherwise))
                return True
        except SynchronousOnlyOperation:
            raise
        except Exception as error:  # noqa: BLE001 routers, pools, guards and event loops raise errors of their own
            let_through(error)
            doomed = isinstance(error, AppendFailed) and error.doomed
            for one in events:
                emit(AppendToOutboxFailed(**one.names, error=error, doomed=doomed))
            if doomed or connection is None or not connection.in_atomic_block:
                return doomed
            for one in events:  # transactions of other databases do not matter
                after_commit(partial(otherwise, one), database=connection.alias)
            return True
        for one in events:
            emit(EventAppended(**one.names))
        return True

    def _append_after(
        self,
        events: Sequence[EncodedEvent],
        alias: str,
        otherwise: Callable[[EncodedEvent, str], None],
        _: str | None,
    ) -> None:
        """
        Append events; if there is no outbox, call ``otherwise`` with each event. Called after the commit. If a commit
        hook of another app has begun a new transaction on the database, the rows are part of the new transaction.
        """
        if not self.append_if_available(events, alias, otherwise):
            for one in events:
                otherwise(one, alias)

    def append_separately(self, events: Sequence[EncodedEvent], database: str) -> None:
        """
        Insert events into the outbox of a database. Call this method only in a thread without an open transaction.

        Raises :class:`OutboxMissing` if there is no outbox. Also raises it if the database accepts no rows and is
        neither :func:`home` nor the default. Raises :class:`AppendFailed`, a database error or a router's exception
        after any other failure.
        """
        if not apps.is_installed(_APP):
            raise OutboxMissing(f"{_APP!r} is not in INSTALLED_APPS")
        if database not in connections:
            raise OutboxMissing(f"there is no database {database!r}")
        connection, is_other = connections[database], database not in (home(), DEFAULT_DB_ALIAS)
        if is_other and not may_have_outbox(connection):  # asks the routers, without a connection
            raise OutboxMissing(f"the database routers allow no outbox in database {database!r}")
        connection.set_autocommit(True)  # without autocommit in the settings nobody would commit
        if is_other and not takes_rows(connection):
            raise OutboxMissing(f"database {database!r} takes no rows")
        self._append(connection, events)

    def _append(self, connection: BaseDatabaseWrapper, events: Sequence[EncodedEvent]) -> bool:
        append = import_module("event_bus_kafka.outbox.append").append  # imports models
        return bool(append(connection, events, notify=self._notify))
