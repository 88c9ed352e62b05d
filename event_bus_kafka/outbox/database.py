"""
Chooses the database whose outbox takes an event: asks routers and databases, since an open transaction is not enough.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from functools import cache
from time import monotonic
from typing import Any

from django.apps import apps
from django.core.exceptions import SynchronousOnlyOperation
from django.db import DEFAULT_DB_ALIAS, connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from event_bus_kafka.db_connections import identity
from event_bus_kafka.errors import AppendFailed
from event_bus_kafka.interruptions import let_through
from event_bus_kafka.outbox.doomed import doom, is_broken, is_doomed
from event_bus_kafka.outbox.transactions import connection_of, is_manual, is_open
from event_bus_kafka.shown import logger_named
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import OutboxAmbiguous

logger = logger_named(__name__)

_APP, _MODEL = "event_bus_kafka", "OutboxRecord"
_NO_FOR = 60.0
"""Seconds after which a database that took no rows is asked again."""

Test = Callable[[BaseDatabaseWrapper], bool]


class _Answer(Enum):
    YES = "takes rows, as far as is known"
    NO = "has the table and takes no rows: a replica, or a user who may only read"
    MISSING = "has not the table"


_ANSWERS: dict[Any, _Answer] = {
    "25006": _Answer.NO,  # PostgreSQL: a transaction that may only read
    "42501": _Answer.NO,  # a missing right
    1142: _Answer.NO,  # MySQL: a missing right
    1290: _Answer.NO,  # a server that may only read
    1792: _Answer.NO,  # a transaction that may only read
    1836: _Answer.NO,  # the same, of a server that was started so
    "attempt to write a readonly database": _Answer.NO,  # SQLite
    "42P01": _Answer.MISSING,
    1146: _Answer.MISSING,
}
"""Error → what it says about the database. Other errors pass, or say nothing about the next attempt."""
_known: dict[tuple[str, str], tuple[_Answer, float]] = {}
"""Alias and name of a database → whether it takes rows, and the monotonic time until which that holds."""


def home() -> str:
    """
    Return the alias whose outbox takes events outside of any suitable transaction.

    It is the one that the routers choose for writing; the default one without routers, or if a router cannot choose, as
    outside of a request.
    """
    if not router.routers or not apps.is_installed(_APP):  # to ask Django takes as long as to encode an event
        return DEFAULT_DB_ALIAS
    try:
        alias = router.db_for_write(apps.get_model(_APP, _MODEL))
        if alias in connections:
            return alias
        _tell_of_router(f"names {alias!r}, which is not in DATABASES")
    except Exception as error:  # noqa: BLE001 a router's
        let_through(error)
        _tell_of_router(f"raised {type(error).__name__}")
    return DEFAULT_DB_ALIAS


@cache
def _tell_of_router(what: str) -> None:
    logger.warning("A database router %s when asked where %s is written: the default database is taken.", what, _MODEL)


def may_have_outbox(connection: BaseDatabaseWrapper) -> bool:
    """Whether the routers let the outbox's table be in a database. Raises what routers raise."""
    if not router.routers:  # for each event, too
        return True
    return apps.is_installed(_APP) and bool(router.allow_migrate_model(connection.alias, apps.get_model(_APP, _MODEL)))


def takes_rows(connection: BaseDatabaseWrapper) -> bool:
    """Return whether the outbox's table may be in a database and the database takes rows for it."""
    return may_have_outbox(connection) and _answer(connection) is _Answer.YES


def outbox_connection(
    database: str | None, is_open: Test = is_open, takes_rows: Test = takes_rows
) -> BaseDatabaseWrapper:
    """
    Return the connection whose outbox takes an event that is emitted now.

    It is the alias ``database`` if given; else the one with an open transaction that takes rows; else :func:`home`. Of
    several open ones it is :func:`home`, else the default one, else the first in DATABASES, with OutboxAmbiguous.
    Raises :class:`ConfigurationError` for an unknown alias, and errors of routers.
    """
    if database:
        return connection_of(database)
    preferred = connections[home()]
    if is_open(preferred) and may_have_outbox(preferred):
        return preferred
    opened = [one for one in connections.all(initialized_only=True) if is_open(one)]
    fit = {one.alias: one for one in opened if takes_rows(one)}
    if not fit:
        return preferred
    if len(fit) > 1 and DEFAULT_DB_ALIAS not in fit:
        emit(OutboxAmbiguous(databases=tuple(fit)))
    return fit.get(DEFAULT_DB_ALIAS) or next(iter(fit.values()))


def open_elsewhere(chosen: BaseDatabaseWrapper) -> list[BaseDatabaseWrapper]:
    """
    Return the other connections whose commits decide about an event if ``chosen`` has no transaction.

    Only connections that may write count. A transaction begun by switching autocommit off does not: nothing tells of
    its commit.
    """
    if is_open(chosen):
        return []
    opened = [one for one in connections.all(initialized_only=True) if one.in_atomic_block and not is_manual(one)]
    return [one for one in opened if _answer(one) is not _Answer.NO]


def forget(connection: BaseDatabaseWrapper) -> None:
    """Forget the answer of a database, because an append has failed."""
    _known.pop(identity(connection), None)


def _answer(connection: BaseDatabaseWrapper) -> _Answer:
    answer, until = _known.get(identity(connection), (_Answer.YES, 0.0))
    if monotonic() < until:
        return answer
    if (connection.in_atomic_block and connection.needs_rollback) or is_doomed(connection) or is_broken(connection):
        return _Answer.YES  # whoever takes it finds out
    try:
        _insert_nothing(connection)
    except SynchronousOnlyOperation:
        raise
    except Exception as error:  # noqa: BLE001 of databases, and of whoever stands before them
        doom(connection, error, AppendFailed(f"database {connection.alias!r}: {type(error).__name__}"))
        let_through(error)
        found = _meaning(error)
        if found:
            _known[identity(connection)] = found, monotonic() + _NO_FOR
        return found or _Answer.YES
    _known[identity(connection)] = _Answer.YES, float("inf")
    return _Answer.YES


def _insert_nothing(connection: BaseDatabaseWrapper) -> None:
    """Insert no row: tests that the table exists, that inserting is permitted, and that the session may write."""
    model = apps.get_model(_APP, _MODEL)
    quote = connection.ops.quote_name
    table = quote(model._meta.db_table)
    columns = ", ".join(quote(field.column) for field in model._meta.local_concrete_fields if not field.primary_key)
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {table} WHERE 1 = 0")


def _meaning(error: Exception) -> _Answer | None:
    cause = error.__cause__
    for said in (getattr(cause, "sqlstate", None), getattr(cause, "pgcode", None), *error.args[:1]):
        if said in _ANSWERS:
            return _ANSWERS[said]
    return _Answer.MISSING if str(error).startswith("no such table") else None
