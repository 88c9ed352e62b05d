"""The aliases of the databases, and the router."""

from typing import Any

from django.conf import settings
from django.db.models import Model

REPLICA, HISTORY = "read_replica", "student_module_history"


class Router:
    """
    Routes histories to a separate database that no other app uses. Routes reads of courses to the replica, on which no
    migrations run. The variable OUTBOX_DATABASE names the database of the outbox.
    """

    def db_for_read(self, model: type[Model], **_: Any) -> str | None:
        return settings.COURSES_DATABASE if model._meta.model_name == "course" else self.db_for_write(model)

    def db_for_write(self, model: type[Model], **_: Any) -> str | None:
        return _home(model._meta.app_label)

    def allow_relation(self, one: Model, other: Model, **_: Any) -> bool:
        return _home(one._meta.app_label) == _home(other._meta.app_label)

    def allow_migrate(self, db: str, app_label: str, **_: Any) -> bool:
        return db == _home(app_label)


def _home(app_label: str) -> str:
    homes: dict[str, str] = {"history": HISTORY, "event_bus_kafka": settings.OUTBOX_DATABASE}
    return homes.get(app_label, "default")
