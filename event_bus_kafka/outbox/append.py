"""
Appends events to the outbox, as part of the open transaction if there is one. Usually an append needs one INSERT and no
other network access.

Imported only if the app is installed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from time import time
from typing import Any
from zlib import crc32

from django.core.exceptions import SynchronousOnlyOperation
from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from event_bus_kafka.errors import AppendFailed, OutboxMissing
from event_bus_kafka.models import SHARDS, OutboxRecord
from event_bus_kafka.models.presence import look_again, were_found
from event_bus_kafka.outbox import backlog
from event_bus_kafka.outbox.chunks import in_chunks
from event_bus_kafka.outbox.database import forget
from event_bus_kafka.outbox.doomed import doom
from event_bus_kafka.outbox.transactions import is_manual, on_commit
from event_bus_kafka.outbox.writer_schemas import reference_to
from event_bus_kafka.telemetry.error_text import database_error_text
from event_bus_kafka.wire.headers import pack
from event_bus_kafka.wire.records import EncodedEvent

CHANNEL = "event_bus_kafka_outbox"
"""The channel of PostgreSQL's NOTIFY that informs relays of new rows."""
_ROWS, _BYTES = 500, 2_000_000
"""
Maximum number of rows in one INSERT, and maximum bytes of their values. MariaDB accepts 16 MB by default, and one byte
of data may need two bytes in the statement's text. A row with a larger value is inserted alone.
"""
_BINARY = ("key", "body", "headers")
_COLUMNS = ("shard", "topic", *_BINARY, "schema_id", "created", "size")

_statements: dict[tuple[str, int, bool, bool], str] = {}


def append(connection: BaseDatabaseWrapper, events: Sequence[EncodedEvent], *, notify: Callable[[], bool]) -> bool:
    """
    Insert all events into the outbox of a database, or none of them. If a transaction is open, the rows are part of it.

    Return whether the events were inserted: False if the transaction is marked for a rollback. ``notify`` returns
    whether to inform relays through PostgreSQL's NOTIFY.

    Raises :class:`AppendFailed` if the INSERT failed or there is no outbox. If the exception's ``doomed`` is True, the
    transaction cannot commit any more. Raises Django's SynchronousOnlyOperation in an event loop.
    """
    if connection.in_atomic_block and connection.needs_rollback:
        return False
    try:
        _require_table(connection)
        _insert_all(connection, events, notify)
    except (AppendFailed, SynchronousOnlyOperation):
        raise
    except Exception as error:  # databases, pools, guards and tracers raise any error
        forget(connection)
        look_again(connection)
        raise _failed(connection, error) from error
    if backlog.is_due(connection.alias) and not is_manual(connection):
        watch = partial(backlog.watch, connection.alias)
        on_commit(connection, watch) if connection.in_atomic_block else watch()  # not in the caller's transaction
    return True


def shard_of(topic: str, key: bytes) -> int:
    """Return the shard of a key (without schema id) on a topic."""
    return crc32(key, crc32(topic.encode())) % SHARDS


def _insert_all(connection: BaseDatabaseWrapper, events: Sequence[EncodedEvent], notify: Callable[[], bool]) -> None:
    chunks = list(in_chunks(events, lambda event: len(event.value or b""), most=_ROWS, most_bytes=_BYTES))
    alone = len(chunks) <= 1 and not (connection.vendor == "postgresql" and is_manual(connection))
    with nullcontext() if alone else transaction.atomic(using=connection.alias):
        for chunk in chunks:
            _insert(connection, chunk, notify)


def _insert(connection: BaseDatabaseWrapper, events: Sequence[EncodedEvent], notify: Callable[[], bool]) -> None:
    created = int(time() * 1000)
    values: list[Any] = []
    for event in events:
        topic, headers = event.destination.topic, pack(event.headers)
        schema = reference_to(event.destination, connection)
        size = len(event.key) + len(event.value or b"") + len(headers)
        values += (shard_of(topic, event.key), topic, event.key, event.value, headers, schema, created, size)
    tells = connection.vendor == "postgresql" and notify()
    tombstones = any(event.value is None for event in events)
    with connection.cursor() as cursor:
        cursor.execute(_statement(connection, len(events), notify=tells, tombstones=tombstones), values)


def _statement(connection: BaseDatabaseWrapper, rows: int, *, notify: bool, tombstones: bool) -> str:
    name = connection.vendor, rows, notify, tombstones
    if name not in _statements:
        quote = connection.ops.quote_name
        columns = ", ".join(map(quote, _COLUMNS))
        placeholders = dict.fromkeys(_BINARY, "_binary %s" if connection.vendor == "mysql" else "%s")
        if tombstones:
            placeholders["body"] = "%s"  # MySQL has no binary NULL
        row = ", ".join(placeholders.get(column, "%s") for column in _COLUMNS)
        table = quote(OutboxRecord._meta.db_table)
        insert = f"INSERT INTO {table} ({columns}) VALUES {', '.join([f'({row})'] * rows)}"
        _statements[name] = f"WITH appended AS ({insert}) SELECT pg_notify('{CHANNEL}', '')" if notify else insert
    return _statements[name]


def _require_table(connection: BaseDatabaseWrapper) -> None:
    """
    Raise :class:`OutboxMissing` if a table of the outbox is missing. The INSERT must not find this out, because on
    PostgreSQL a failing INSERT would break the transaction.
    """
    if not were_found(connection, *backlog.TABLES):
        raise OutboxMissing(f"the outbox is missing in database {connection.alias!r}: run manage.py migrate")


def _failed(connection: BaseDatabaseWrapper, error: Exception) -> AppendFailed:
    failure = AppendFailed(f"database {connection.alias!r}: {database_error_text(error)}")
    failure.doomed = doom(connection, error, failure)
    return failure
