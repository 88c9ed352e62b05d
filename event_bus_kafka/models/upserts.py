"""Inserts a row, or adds to an existing row, with one SQL statement. Django's own upsert can only replace values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import attrs
from django.db import connections, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper


@attrs.frozen
class Sql:
    """An SQL expression in place of a value. ``{column}`` stands for the column's value in the existing row."""

    text: str
    parameters: tuple[Any, ...] = ()


def one_statement(alias: str) -> AbstractContextManager[Any]:
    """
    Return a context manager for a block with one statement. In autocommit mode, the context manager does nothing,
    because the database commits the statement at once. Otherwise it is ``atomic()``.
    """
    return nullcontext() if connections[alias].get_autocommit() else transaction.atomic(using=alias)


def upsert(model: type[models.Model], alias: str, *, insert: Mapping[str, Any], change: Mapping[str, Any]) -> None:
    """
    Insert a row with the values ``insert``. If a row with the same primary key exists, set the values ``change`` in
    this row instead. ``insert`` and ``change`` map a field's name to a value or to :class:`Sql`. The table must have no
    other unique key, because databases handle a conflict on another key differently.
    """
    connection = connections[alias]
    table = connection.ops.quote_name(model._meta.db_table)
    inserted, changed = (list(_columns(model, connection, values)) for values in (insert, change))
    key = connection.ops.quote_name(str(model._meta.pk.column))
    conflict = "ON DUPLICATE KEY UPDATE" if connection.vendor == "mysql" else f"ON CONFLICT ({key}) DO UPDATE SET"
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(column for column, _ in inserted)}) "
            f"VALUES ({', '.join(value.text for _, value in inserted)}) "
            f"{conflict} {', '.join(f'{column} = {value.text}' for column, value in changed)}",
            [parameter for _, value in inserted + changed for parameter in value.parameters],
        )


def _columns(
    model: type[models.Model], connection: BaseDatabaseWrapper, values: Mapping[str, Any]
) -> Iterator[tuple[str, Sql]]:
    table = connection.ops.quote_name(model._meta.db_table)
    for name, value in values.items():
        field: Any = model._meta.get_field(name)
        column = connection.ops.quote_name(field.column)
        if not isinstance(value, Sql):
            yield column, Sql("%s", (field.get_db_prep_save(value, connection),))
        else:
            yield column, Sql(value.text.replace("{column}", f"{table}.{column}"), value.parameters)
