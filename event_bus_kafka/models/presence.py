"""Whether this app is migrated."""

from __future__ import annotations

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper


def has_tables(connection: BaseDatabaseWrapper, *wanted: type[models.Model]) -> bool:
    """Return whether a database has the tables of these models. Raises a database error if that cannot be found out."""
    with connection.cursor() as cursor:
        names = connection.introspection.table_names(cursor)
    return all(model._meta.db_table in names for model in wanted)
