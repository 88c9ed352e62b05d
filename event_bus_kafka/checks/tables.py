"""The check of tables: the only check that queries a database. Runs only with ``check --database`` and ``migrate``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage
from django.core.exceptions import ImproperlyConfigured
from django.db import Error, connections, router

from event_bus_kafka.checks.catalogue import error_message, warning_message
from event_bus_kafka.outbox.database import home

_APP = "event_bus_kafka"


def check_tables(app_configs: Any = None, databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """
    Return a warning for each database that lacks a table of this app, and an error for each database that does not
    answer. With ``migrate``, which creates the tables, return errors only.
    """
    return [message for alias in databases or () if (message := _check(alias))]


def _migrating() -> bool:
    """Return whether this process runs ``manage.py migrate``. Django does not pass the command's name to checks."""
    return sys.argv[1:2] == ["migrate"]


def _check(alias: str) -> CheckMessage | None:
    try:
        missing = _missing_tables(alias)
    except (Error, ImproperlyConfigured) as failure:
        reason = " ".join(str(failure).split())  # from connecting or from querying the catalogue: contains no rows
        hint = "Check that the database runs and accepts this service. Whether tables are missing is unknown."
        return error_message("E010", f"Database {alias!r} cannot be queried for its tables: {reason}.", hint)
    if not missing or _migrating():
        return None
    return warning_message(
        "W004",
        f"Tables are missing in database {alias!r}: {', '.join(missing)}.",
        hint="Run manage.py migrate: until then events that Kafka does not confirm are lost, no relay runs, dead "
        "letters go to a topic of Kafka, no receiver can be paused, receivers under once() fail.",
    )


def _missing_tables(alias: str) -> list[str]:
    with connections[alias].cursor() as cursor:
        there = connections[alias].introspection.table_names(cursor)
    is_home = alias == home()  # even if routers forbid the tables there, since rows will be written to this database
    models = apps.get_app_config(_APP).get_models()
    ours = (one for one in models if one._meta.managed and (is_home or router.allow_migrate_model(alias, one)))
    return [model._meta.db_table for model in ours if model._meta.db_table not in there]
