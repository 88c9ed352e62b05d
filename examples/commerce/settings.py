"""Settings of the shop."""

import json
import os
from pathlib import Path

SECRET_KEY = "an example"
USE_TZ = True  # times of events are aware, so the database must keep them so
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LOGGING = {  # at INFO the relay and the worker say what they do
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "root": {"level": "INFO", "handlers": ["stderr"]},
}
OPENEDX_TELEMETRY: list[str] = []  # no monitoring service here

_SQLITE = {
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": Path(os.environ.get("EXAMPLES_DATA", "."), "commerce.sqlite3"),
    # Several processes write: each takes its turn, and nobody waits to read.
    "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": "PRAGMA journal_mode=WAL"},
}
# PostgreSQL or MariaDB: ENGINE, HOST, PORT, USER, PASSWORD and OPTIONS as a JSON object.
_SERVER = json.loads(os.environ.get("DATABASE_SERVER") or "null")
DATABASES = {"default": _SERVER | {"NAME": "commerce"} if _SERVER else _SQLITE}

# event_bus_kafka before openedx_events: so `consume_events` is the one with clear errors and exit codes.
INSTALLED_APPS = ["examples.commerce", "examples.platform_events", "event_bus_kafka", "openedx_events"]

# Part of each event's source, so that a reader of the topic sees who wrote it.
EVENTS_SERVICE_NAME = "commerce"
EVENT_BUS_PRODUCER = "event_bus_kafka.create_producer"
EVENT_BUS_CONSUMER = "event_bus_kafka.KafkaEventConsumer"
EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL = os.environ.get("SCHEMA_REGISTRY_URL")
# In Kafka the names of topics begin with `demo-`; in settings and code they do not. The same in all services: it keeps
# deployments apart that share a Kafka.
EVENT_BUS_TOPIC_PREFIX = "demo"

_ORDERS = {"commerce-order-lifecycle": {"event_key_field": "order.order_number", "enabled": True}}
EVENT_BUS_PRODUCER_CONFIG = {
    "org.openedx.commerce.order.fulfilled.v1": _ORDERS,
    "org.openedx.commerce.order.refunded.v1": _ORDERS,
}
# Money has changed hands: the event is a row of the same transaction as the order.
EVENT_BUS_PRODUCER_MODE = "outbox"

EVENT_BUS_KAFKA_SUBSCRIPTIONS = {"commerce": ["course-enrollment-lifecycle", "learning-program-intent-lifecycle"]}
