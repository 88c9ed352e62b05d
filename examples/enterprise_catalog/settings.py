"""Settings of the enterprise catalog."""

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
    "NAME": Path(os.environ.get("EXAMPLES_DATA", "."), "enterprise_catalog.sqlite3"),
    # Several processes write: each takes its turn, and nobody waits to read.
    "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": "PRAGMA journal_mode=WAL"},
}
# PostgreSQL or MariaDB: ENGINE, HOST, PORT, USER, PASSWORD and OPTIONS as a JSON object.
_SERVER = json.loads(os.environ.get("DATABASE_SERVER") or "null")
DATABASES = {"default": _SERVER | {"NAME": "enterprise_catalog"} if _SERVER else _SQLITE}

# event_bus_kafka before openedx_events: so `consume_events` is the one with clear errors and exit codes.
INSTALLED_APPS = ["examples.enterprise_catalog", "event_bus_kafka", "openedx_events"]

# Part of each event's source, so that a reader of the topic sees who wrote it.
EVENTS_SERVICE_NAME = "enterprise_catalog"
# Reads only: without EVENT_BUS_PRODUCER its own code cannot send anything by mistake.
EVENT_BUS_CONSUMER = "event_bus_kafka.KafkaEventConsumer"
EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL = os.environ.get("SCHEMA_REGISTRY_URL")
# In Kafka the names of topics begin with `demo-`; in settings and code they do not. The same in all services: it keeps
# deployments apart that share a Kafka.
EVENT_BUS_TOPIC_PREFIX = "demo"

# A group of its own: it gets every event, whoever else reads the topics.
EVENT_BUS_KAFKA_SUBSCRIPTIONS = {
    "enterprise_catalog": ["enterprise-subscription-lifecycle", "enterprise-license-lifecycle"],
}
