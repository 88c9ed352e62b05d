"""The Django app: tables, system checks and management commands. Sending and consuming also work without the app."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Tags, register
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

_Check = Callable[..., list[CheckMessage]]
_CHECKS = (
    "configuration.check_settings",
    "configuration.check_producer",
    "configuration.check_consumer",
    "names.check_names",
    "times.check_times",
    "pools.check_pools",
)


class EventBusKafkaConfig(AppConfig):
    """Registers the system checks."""

    name = "event_bus_kafka"
    verbose_name = _("Event bus")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        for path in _CHECKS:
            register(_imported_when_run(path), "event_bus_kafka")
        register(_imported_when_run("tables.check_tables"), Tags.database)


@cache  # if ready() runs again, Django sees the same function and does not register it twice
def _imported_when_run(path: str) -> _Check:
    """
    Return a check whose module is imported only when the check runs. With an earlier import, each process that loads
    the app would load Kafka's client.
    """

    def check(**options: Any) -> list[CheckMessage]:
        found: _Check = import_string(f"event_bus_kafka.checks.{path}")
        return found(**options)

    return check
