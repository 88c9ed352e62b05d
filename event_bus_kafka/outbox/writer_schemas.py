"""
Which row of the writer's schemas an event refers to.

A row that this process wrote in a transaction is known once that commits. Until then it is known as long as Django
keeps the callback that waits for the commit: it drops it with the transaction, or with the savepoint.

Ids are random: a database that was restored gives none away twice, so that an id stands for one schema only, whatever
processes still know. Now and then they see to it that their rows are there still.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from secrets import randbits
from time import monotonic
from typing import Any
from weakref import WeakKeyDictionary

import attrs
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.signals import post_migrate

from event_bus_kafka.models import WriterSchema
from event_bus_kafka.outbox.transactions import is_manual
from event_bus_kafka.wire.records import Destination, SubjectSchema

_TRUSTED = 60.0
"""Seconds after which a row is looked for again."""
_BITS = 62

_Name = tuple[str, str, int]
"""Alias and name of a database, and which destination."""


@attrs.frozen
class _Pending:
    """A reference in a transaction that has not committed yet."""

    pk: int
    position: int
    """In Django's list of callbacks. Those before it stay as long as it does."""
    callback: Callable[[], None]

    def is_there(self, connection: BaseDatabaseWrapper) -> bool:
        hooks = connection.run_on_commit
        return self.position < len(hooks) and hooks[self.position][1] is self.callback


@attrs.frozen
class _Known:
    """A reference to a row that has been committed."""

    destination: Destination
    """Kept: its address stands for it as long as it lives."""
    pk: int
    until: float = attrs.field(factory=lambda: monotonic() + _TRUSTED)


_known: dict[_Name, _Known] = {}
_pending: WeakKeyDictionary[BaseDatabaseWrapper, dict[_Name, _Pending]] = WeakKeyDictionary()


def reference_to(destination: Destination, connection: BaseDatabaseWrapper) -> int:
    """Return the id of a destination's row, written now if there is none. Raises a database error."""
    name = connection.alias, str(connection.settings_dict["NAME"]), id(destination)
    known = _known.get(name)
    if known and monotonic() < known.until:
        return known.pk
    waiting = _pending.get(connection, {}).get(name)
    if waiting and waiting.is_there(connection):
        return waiting.pk
    pk = _find_or_write(destination, connection.alias, known.pk if known else randbits(_BITS))
    _remember(name, destination, pk, connection)
    return pk


def destination_of(row: dict[str, Any]) -> Destination:
    """Return what a row of the table stands for."""
    return Destination(
        topic=row["topic"],
        event_type=row["event_type"],
        key=SubjectSchema(row["key_subject"], row["key_schema"]),
        value=SubjectSchema(row["value_subject"], row["value_schema"]),
    )


def _find_or_write(destination: Destination, alias: str, new: int) -> int:
    contents = {
        "topic": destination.topic,
        "event_type": destination.event_type,
        "key_subject": destination.key.subject,
        "key_schema": destination.key.schema,
        "value_subject": destination.value.subject,
        "value_schema": destination.value.schema,
    }
    digest = sha256("\0".join(contents.values()).encode()).hexdigest()
    rows = WriterSchema.objects.using(alias)
    found: int | None = rows.filter(digest=digest).order_by("pk").values_list("pk", flat=True).first()
    if found is None:
        rows.bulk_create([WriterSchema(pk=new, digest=digest, **contents)], ignore_conflicts=True)
    return new if found is None else found


def _remember(name: _Name, destination: Destination, pk: int, connection: BaseDatabaseWrapper) -> None:
    """Also of a row that was found: it may have been written in this very transaction."""
    if is_manual(connection):
        return  # nobody tells of its commit

    def committed() -> None:
        _known[name] = _Known(destination, pk)

    position = len(connection.run_on_commit)
    connection.on_commit(committed)
    if connection.in_atomic_block:
        _pending.setdefault(connection, {})[name] = _Pending(pk, position, committed)


def _forget(**_: Any) -> None:
    _known.clear()


post_migrate.connect(_forget, dispatch_uid="event_bus_kafka.outbox.writer_schemas")  # sent after a flush too
