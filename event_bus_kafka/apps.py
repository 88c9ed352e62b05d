"""The Django app. Sending and consuming work without it; tables, checks and commands come with it."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import Tags, register

from event_bus_kafka.checks import configuration, names, pools, tables, times

CHECKS = (
    configuration.check_settings,
    configuration.check_producer,
    configuration.check_consumer,
    names.check_names,
    times.check_times,
    pools.check_pools,
)


class EventBusKafkaConfig(AppConfig):
    """Registers the system checks."""

    name = "event_bus_kafka"
    verbose_name = "Kafka event bus"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        for check in CHECKS:
            register(check, "event_bus_kafka")
        register(tables.check_tables, Tags.database)
