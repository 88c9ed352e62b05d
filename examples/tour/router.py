"""A database router that gives each service a separate database."""

from __future__ import annotations

from typing import Any


class ByService:
    """
    A database router. The models of an app are in the database that has the app's name; the models of the event bus are
    in each database.
    """

    def db_for_read(self, model: Any, **_: Any) -> str | None:
        return None if model._meta.app_label == "event_bus_kafka" else model._meta.app_label

    db_for_write = db_for_read

    def allow_migrate(self, db: str, app_label: str, **_: Any) -> bool:
        return app_label in (db, "event_bus_kafka")
