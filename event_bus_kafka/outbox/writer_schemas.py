"""
Finds or inserts the row with the writer's schemas of an event. The event's row in the outbox refers to this row by its
id.

After the commit, the process remembers the id of a row that it has found or inserted. Before the commit, the process
uses the id only while the row's commit hook exists. Django drops the hook if the transaction or the savepoint of a
block is rolled back. But if a savepoint that was set by hand is rolled back, the row may be gone while the hook
remains. So the hook checks whether the row exists, and inserts a missing row again.

Ids are random, so that no id is used twice, even after the restore of a backup. An id always means the same schema,
whatever other processes remember. Processes check from time to time whether their rows still exist.
"""

from __future__ import annotations

from contextlib import nullcontext, suppress
from secrets import randbits
from time import monotonic
from typing import Any
from weakref import ReferenceType, WeakKeyDictionary, ref

import attrs
from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.signals import post_migrate

from event_bus_kafka.db_connections import identity
from event_bus_kafka.models import WriterSchema
from event_bus_kafka.outbox.transactions import is_awaited, is_manual, is_open, on_commit
from event_bus_kafka.wire.records import Destination, SubjectSchema

_TRUSTED = 60.0
"""Seconds after which the process checks again whether a known row exists."""
_BITS = 62

_Name = tuple[str, str, str]
"""Alias and name of a database, and the digest of a destination."""


@attrs.frozen
class _Known:
    """The id of a committed row, and the monotonic time until which the row is assumed to exist."""

    pk: int
    until: float = attrs.field(factory=lambda: monotonic() + _TRUSTED)


_known: dict[_Name, _Known] = {}
_pending: WeakKeyDictionary[BaseDatabaseWrapper, dict[_Name, ReferenceType[_Commit]]] = WeakKeyDictionary()
"""
Weak references to the commit hooks of rows in open transactions; a reference is dead once the transaction or the
savepoint ends.
"""


@attrs.define(eq=False)
class _Commit:
    """The commit hook of a row. Only Django's list of hooks has a strong reference to this object."""

    name: _Name
    pk: int
    destination: Destination
    connection: BaseDatabaseWrapper

    def __call__(self) -> None:
        if self.connection.in_atomic_block:  # a test runs captured hooks, and rolls back the row
            return
        alias = self.connection.alias
        with suppress(Exception):  # after an error the row is searched again
            if not WriterSchema.objects.using(alias).filter(pk=self.pk).exists():
                _write(self.destination, alias, self.pk)
            self.know()

    def know(self) -> None:
        _known[self.name] = _Known(self.pk)


def reference_to(destination: Destination, connection: BaseDatabaseWrapper) -> int:
    """Return the id of the row for a destination; insert the row if there is none. Raises a database error."""
    name = *identity(connection), destination.digest
    known = _known.get(name)
    if known and monotonic() < known.until:
        return known.pk
    waiting = _pending.get(connection, {}).get(name)
    if waiting and (commit := waiting()) and is_awaited(connection, commit):
        return commit.pk
    pk = _find_or_write(destination, connection, known.pk if known else randbits(_BITS))
    _remember(_Commit(name, pk, destination, connection))
    return pk


def destination_of(row: dict[str, Any]) -> Destination:
    """Return the destination that a row of the table describes."""
    return Destination(
        topic=row["topic"],
        event_type=row["event_type"],
        key=SubjectSchema(row["key_subject"], row["key_schema"]),
        value=SubjectSchema(row["value_subject"], row["value_schema"]),
    )


def _find_or_write(destination: Destination, connection: BaseDatabaseWrapper, new: int) -> int:
    """
    Find the row or insert it. Without an open transaction, the two statements are not put into a common transaction,
    because on SQLite a transaction that has begun by reading may be unable to write.
    """
    alias = connection.alias
    with transaction.atomic(using=alias) if is_open(connection) else nullcontext():  # protects the outer one
        return _find(destination, alias) or _write(destination, alias, new)


def _find(destination: Destination, alias: str) -> int | None:
    rows = WriterSchema.objects.using(alias).filter(digest=destination.digest)
    return rows.order_by("pk").values_list("pk", flat=True).first()


def _write(destination: Destination, alias: str, pk: int) -> int:
    row = WriterSchema(
        pk=pk,
        digest=destination.digest,
        topic=destination.topic,
        event_type=destination.event_type,
        key_subject=destination.key.subject,
        key_schema=destination.key.schema,
        value_subject=destination.value.subject,
        value_schema=destination.value.schema,
    )
    WriterSchema.objects.using(alias).bulk_create([row], ignore_conflicts=True)
    return pk


def _remember(commit: _Commit) -> None:
    """
    Remember the id of a row that was found or inserted. In ``atomic()``, remember it after the commit, because the same
    transaction may have inserted the row. Without a transaction, remember it at once. In a transaction without
    ``atomic()``, do nothing.
    """
    connection = commit.connection
    if connection.in_atomic_block:
        on_commit(connection, commit)
        _pending.setdefault(connection, {})[commit.name] = ref(commit)
    elif not is_manual(connection):  # Django has no hook for its commit
        commit.know()


def _forget(**_: Any) -> None:
    _known.clear()


post_migrate.connect(_forget, dispatch_uid="event_bus_kafka.outbox.writer_schemas")  # also sent after a flush
