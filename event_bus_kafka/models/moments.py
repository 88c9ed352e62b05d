"""A model field for times."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper


class MomentField(models.DateTimeField):  # type: ignore[type-arg]
    """
    A DateTimeField whose values are always timezone-aware and in UTC, whether ``USE_TZ`` is True or False.

    If ``USE_TZ`` is False, the column holds the same values as Django's own field: local time in databases that do not
    support time zones.
    """

    def deconstruct(self) -> tuple[str, str, Any, Any]:
        """Return what a DateTimeField would return: migrations see a DateTimeField, because the column is the same."""
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.DateTimeField", args, kwargs

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> Any:
        if not prepared:
            value = self.get_prep_value(value)
        if isinstance(value, datetime) and value.tzinfo is not None and connection.timezone is None:
            value = value.astimezone(ZoneInfo(connection.timezone_name)).replace(tzinfo=None)
        return super().get_db_prep_value(value, connection, prepared=True)

    def from_db_value(self, value: Any, _expression: Any, connection: BaseDatabaseWrapper) -> Any:
        if isinstance(value, datetime) and value.tzinfo is None:
            value = value.replace(tzinfo=ZoneInfo(connection.timezone_name))
        return value.astimezone(UTC) if isinstance(value, datetime) else value
