"""
Chooses the database whose outbox takes an event: a database with an open transaction, if routers and rights allow it.
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
_ASK_AGAIN_AFTER = 60.0
"""Seconds after which a database that did not accept rows is checked again."""

Test = Callable[[BaseDatabaseWrapper], bool]


class _Answer(Enum):
    YES = "accepts rows, as far as is known"
    NO = "has the table but accepts no rows: a replica, or a user who may only read"
    MISSING = "does not have the table"


_ANSWERS: dict[Any, _Answer] = {
    "25006": _Answer.NO,  # PostgreSQL: a read-only transaction
    "42501": _Answer.NO,  # a missing right
    1142: _Answer.NO,  # MySQL: a missing right
    1290: _Answer.NO,  # a read-only server
    1792: _Answer.NO,  # a transaction that may only read
    1836: _Answer.NO,  # a server that was started in read-only mode
    "attempt to write a readonly database": _Answer.NO,  # SQLite
    "42P01": _Answer.MISSING,
    1146: _Answer.MISSING,
}
"""
Error code or text → whether the database has the table and accepts its rows. Any other error says nothing about the
next attempt.
"""
_known: dict[tuple[str, str], tuple[_Answer, float]] = {}
"""
Alias and name of a database → whether the database accepts rows, and the monotonic time until which this is assumed.
"""


def home() -> str:
    """
    Return the alias whose outbox takes an event if no suitable transaction is open.

    This is the alias that the routers choose for writing. If there are no routers, or the app is not installed, it
    is the default alias. The same is true if a router names an unknown alias, or raises (for example, because there is
    no request).
    """
    if not router.routers or not apps.is_installed(_APP):  # asking Django takes as long as encoding an event
        return DEFAULT_DB_ALIAS
    try:
        alias = router.db_for_write(apps.get_model(_APP, _MODEL))
        if alias in connections:
            return alias
        _tell_of_router(f"names {alias!r}, which is not in DATABASES")
    except Exception as error:  # noqa: BLE001 a router may raise anything
        let_through(error)
        _tell_of_router(f"raised {type(error).__name__}")
    return DEFAULT_DB_ALIAS


@cache
def _tell_of_router(what: str) -> None:
    text = "A database router %s, when asked where %s is written. The default database is used; correct the router."
    logger.warning(text, what, _MODEL)


def may_have_outbox(connection: BaseDatabaseWrapper) -> bool:
    """Return whether the routers allow the outbox's table in a database. Raises the routers' exceptions."""
    if not router.routers:  # a shortcut: called for each event
        return True
    return apps.is_installed(_APP) and bool(router.allow_migrate_model(connection.alias, apps.get_model(_APP, _MODEL)))


def takes_rows(connection: BaseDatabaseWrapper) -> bool:
    """
    Return whether the routers allow the outbox's table in a database and, as far as is known, the database accepts its
    rows.
    """
    return may_have_outbox(connection) and _answer(connection) is _Answer.YES


def outbox_connection(
    database: str | None, is_open: Test = is_open, takes_rows: Test = takes_rows
) -> BaseDatabaseWrapper:
    """
    Return the connection whose outbox takes an event that is emitted now.

    If ``database``, an alias, is given, return its connection. Otherwise return the first of these that exists:

    1. The connection of :func:`home`, if it has an open transaction and the routers allow the outbox's table there.
    2. The connection of the default alias, if it has an open transaction and its database accepts rows.
    3. The first connection, in the order of DATABASES, with an open transaction whose database accepts rows. If there
       are several such connections, emit OutboxAmbiguous.
    4. The connection of :func:`home`.

    ``is_open`` and ``takes_rows`` decide instead of the functions of the same names. Raises :class:`ConfigurationError`
    for an unknown alias, and the routers' exceptions.
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
    Return the connections, other than ``chosen``, whose open transactions must commit before an event is appended. If
    ``chosen`` has an open transaction, return an empty list.

    A transaction does not count if its database has the outbox but accepts no rows, such as a replica. A transaction
    begun by switching autocommit off does not count either, because Django has no hook for its commit.
    """
    if is_open(chosen):
        return []
    opened = [one for one in connections.all(initialized_only=True) if one.in_atomic_block and not is_manual(one)]
    return [one for one in opened if _answer(one) is not _Answer.NO]


def forget(connection: BaseDatabaseWrapper) -> None:
    """Forget whether a database accepts rows, so that it is asked again. Called after a failed append."""
    _known.pop(identity(connection), None)


def _answer(connection: BaseDatabaseWrapper) -> _Answer:
    answer, until = _known.get(identity(connection), (_Answer.YES, 0.0))
    if monotonic() < until:
        return answer
    if (connection.in_atomic_block and connection.needs_rollback) or is_doomed(connection) or is_broken(connection):
        return _Answer.YES  # the append itself will show it
    try:
        _insert_nothing(connection)
    except SynchronousOnlyOperation:
        raise
    except Exception as error:  # noqa: BLE001 databases, pools and guards raise any error
        doom(connection, error, AppendFailed(f"database {connection.alias!r}: {type(error).__name__}"))
        let_through(error)
        found = _meaning(error)
        if found:
            _known[identity(connection)] = found, monotonic() + _ASK_AGAIN_AFTER
        return found or _Answer.YES
    _known[identity(connection)] = _Answer.YES, float("inf")
    return _Answer.YES


def _insert_nothing(connection: BaseDatabaseWrapper) -> None:
    """
    Execute an INSERT that inserts no row. It fails if the table or a right is missing, or if the session is read-only.
    """
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
