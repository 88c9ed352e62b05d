"""Checks whether a database has the tables and columns of this app."""

from __future__ import annotations

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.dummy.base import DatabaseWrapper as NoDatabase

from event_bus_kafka.db_connections import identity


def has_tables(connection: BaseDatabaseWrapper, *wanted: type[models.Model]) -> bool:
    """
    Return whether a database has the tables of these models; False if ``DATABASES`` is empty.

    Raises a database error if the database does not answer.
    """
    if isinstance(connection, NoDatabase):
        return False
    with connection.cursor() as cursor:
        names = connection.introspection.table_names(cursor)
    return all(model._meta.db_table in names for model in wanted)


def has_column(connection: BaseDatabaseWrapper, model: type[models.Model], name: str) -> bool:
    """Return whether an existing table has a column. A positive answer is cached in this process."""
    found = *identity(connection), model, name
    if found not in _columns:
        with connection.cursor() as cursor:
            columns = connection.introspection.get_table_description(cursor, model._meta.db_table)
        if name in (column.name for column in columns):
            _columns.add(found)
    return found in _columns


_found: set[tuple[str, str, tuple[type[models.Model], ...]]] = set()
_columns: set[tuple[str, str, type[models.Model], str]] = set()


def were_found(connection: BaseDatabaseWrapper, *wanted: type[models.Model]) -> bool:
    """Return the result of :func:`has_tables`. A positive answer is cached in this process."""
    name = *identity(connection), wanted
    if name not in _found and has_tables(connection, *wanted):
        _found.add(name)
    return name in _found


def look_again(connection: BaseDatabaseWrapper) -> None:
    """Drop the cached answers about a database, because a table may have been dropped."""
    _found.difference_update([name for name in _found if name[:2] == identity(connection)])
    _columns.difference_update([name for name in _columns if name[:2] == identity(connection)])
