"""Which database's outbox takes an event. Asks the routers and the databases, and never goes by what is open alone."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from time import monotonic

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, Error, connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from event_bus_kafka.outbox.transactions import connection_of, is_open, open_transactions
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import OutboxAmbiguous

_APP, _MODEL = "event_bus_kafka", "OutboxRecord"
_NO_FOR = 60.0
"""Seconds after which a database that took no rows is asked again."""

Test = Callable[[BaseDatabaseWrapper], bool]


class _Answer(Enum):
    YES = "takes rows"
    NO = "has the table and takes no rows: a replica, or a user who may only read"
    MISSING = "has not the table"


_answers: dict[tuple[str, str], tuple[_Answer, float]] = {}
"""By alias and name of a database, and until when they hold (monotonic)."""


def home() -> str:
    """Return the alias whose outbox takes what no open transaction takes: the routers', by default the default one."""
    return router.db_for_write(apps.get_model(_APP, _MODEL)) if apps.is_installed(_APP) else DEFAULT_DB_ALIAS


def takes_rows(connection: BaseDatabaseWrapper) -> bool:
    """Whether the routers let the outbox's table be in a database, and the database takes rows of it."""
    return may_have_outbox(connection) and _answer(connection) is _Answer.YES


def may_have_outbox(connection: BaseDatabaseWrapper) -> bool:
    """Whether the routers let the outbox's table be in a database."""
    return bool(router.allow_migrate(connection.alias, _APP, model_name=_MODEL.lower()))


def outbox_connection(
    database: str | None, is_open: Test = is_open, takes_rows: Test = takes_rows
) -> BaseDatabaseWrapper:
    """
    Return the connection whose outbox takes what is emitted now: of the alias ``database``, else the one with an open
    transaction that takes rows, else :func:`home`. Of several it is the home, else the default one, else the first in
    DATABASES, which is told. Raises :class:`ConfigurationError` where there is no such alias, and what routers raise.
    """
    if database:
        return connection_of(database)
    opened = connections.all(initialized_only=True)
    fit = [connection for connection in opened if is_open(connection) and takes_rows(connection)]
    if len(fit) == 1:
        return fit[0]
    alias = home()
    by_alias = {connection.alias: connection for connection in fit}
    found = by_alias.get(alias) or by_alias.get(DEFAULT_DB_ALIAS)
    if found is None and fit:
        found = fit[0]
        emit(OutboxAmbiguous(databases=tuple(by_alias)))
    return found or connections[alias]


def open_elsewhere(chosen: BaseDatabaseWrapper) -> list[BaseDatabaseWrapper]:
    """
    Return the connections whose transactions decide where the chosen one has none: of others that may be written to.

    Raises :class:`ManualTransaction` as :func:`open_transactions` does.
    """
    if is_open(chosen):
        return []
    return [connection for connection in open_transactions(None) if _answer(connection) is not _Answer.NO]


def forget(connection: BaseDatabaseWrapper) -> None:
    """Ask a database again: an append has failed."""
    _answers.pop(_name(connection), None)


def _answer(connection: BaseDatabaseWrapper) -> _Answer:
    answer, until = _answers.get(_name(connection), (_Answer.YES, 0.0))
    if monotonic() < until or (connection.in_atomic_block and connection.needs_rollback):
        return answer
    answer = _ask(connection)
    until = float("inf") if answer is _Answer.YES else monotonic() + _NO_FOR
    _answers[_name(connection)] = answer, until
    return answer


def _ask(connection: BaseDatabaseWrapper) -> _Answer:
    """Insert no row at all: that takes what a row would take, the table, the right and a session that may write."""
    model = apps.get_model(_APP, _MODEL)
    quote = connection.ops.quote_name
    table = quote(model._meta.db_table)
    columns = ", ".join(quote(field.column) for field in model._meta.local_concrete_fields if not field.primary_key)
    try:
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            cursor.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {table} WHERE 1 = 0")
    except Error:
        with connection.cursor() as cursor:
            found = model._meta.db_table in connection.introspection.table_names(cursor)
        return _Answer.NO if found else _Answer.MISSING
    return _Answer.YES


def _name(connection: BaseDatabaseWrapper) -> tuple[str, str]:
    return connection.alias, str(connection.settings_dict["NAME"])
