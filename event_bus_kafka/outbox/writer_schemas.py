"""
Finds or writes the row of the writer's schemas that an event refers to.

A row that this process wrote is known once its transaction commits. Until then it is known as long as the hook of that
commit exists, which Django drops with the transaction or with the savepoint of a block. A savepoint that was set by
hand removes the row and leaves the hook: so the hook checks whether the row is there, and writes it again if not.

Ids are random: a restored database gives none away twice, so that an id stands for one schema only, whatever processes
remember. Processes check now and then whether their rows still exist.
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
"""Seconds after which the process checks again whether a row exists."""
_BITS = 62

_Name = tuple[str, str, str]
"""Alias and name of a database, and the digest of a destination."""


@attrs.frozen
class _Known:
    """A reference to a row that has been committed."""

    pk: int
    until: float = attrs.field(factory=lambda: monotonic() + _TRUSTED)


_known: dict[_Name, _Known] = {}
_pending: WeakKeyDictionary[BaseDatabaseWrapper, dict[_Name, ReferenceType[_Commit]]] = WeakKeyDictionary()
"""References to rows in open transactions; dead once the transaction or the savepoint ends."""


@attrs.define(eq=False)
class _Commit:
    """The hook that waits for the commit of a row. Only Django's list of hooks refers to it."""

    name: _Name
    pk: int
    destination: Destination
    connection: BaseDatabaseWrapper

    def __call__(self) -> None:
        if self.connection.in_atomic_block:  # a test runs what it has captured, and rolls the row back
            return
        alias = self.connection.alias
        with suppress(Exception):  # else it is asked for again
            if not WriterSchema.objects.using(alias).filter(pk=self.pk).exists():
                _write(self.destination, alias, self.pk)
            self.know()

    def know(self) -> None:
        _known[self.name] = _Known(self.pk)


def reference_to(destination: Destination, connection: BaseDatabaseWrapper) -> int:
    """Return the id of the row of a destination; write the row if there is none. Raises a database error."""
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
    """Return the destination of a row of the table."""
    return Destination(
        topic=row["topic"],
        event_type=row["event_type"],
        key=SubjectSchema(row["key_subject"], row["key_schema"]),
        value=SubjectSchema(row["value_subject"], row["value_schema"]),
    )


def _find_or_write(destination: Destination, connection: BaseDatabaseWrapper, new: int) -> int:
    """
    Find the row or write it, by two statements outside of a transaction: SQLite lets no reader turn into a writer.
    """
    alias = connection.alias
    with transaction.atomic(using=alias) if is_open(connection) else nullcontext():  # which a failure must not break
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
    """Remember a row until the commit, even one that was found: this very transaction may have written it."""
    connection = commit.connection
    if connection.in_atomic_block:
        on_commit(connection, commit)
        _pending.setdefault(connection, {})[commit.name] = ref(commit)
    elif not is_manual(connection):  # nobody tells of its commit
        commit.know()


def _forget(**_: Any) -> None:
    _known.clear()


post_migrate.connect(_forget, dispatch_uid="event_bus_kafka.outbox.writer_schemas")  # sent after a flush too
