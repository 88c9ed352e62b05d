"""The Django app. Sending and consuming work without it; tables, checks and commands come with it."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import Tags, register

from event_bus_kafka import checks, pool_checks


class EventBusKafkaConfig(AppConfig):
    """Registers the system checks."""

    name = "event_bus_kafka"
    verbose_name = "Kafka event bus"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        register(checks.check_settings, "event_bus_kafka")
        register(checks.check_producer, "event_bus_kafka")
        register(checks.check_consumer, "event_bus_kafka")
        register(pool_checks.check_pools, "event_bus_kafka")
        register(checks.check_tables, Tags.database)
