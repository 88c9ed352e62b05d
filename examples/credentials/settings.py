"""Settings of Credentials."""

import os
from pathlib import Path

SECRET_KEY = "an example"
USE_TZ = True  # times of events are aware, so the database must keep them so
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": Path(os.environ.get("EXAMPLES_DATA", ".")) / "credentials.sqlite3",
    }
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "root": {"level": "INFO", "handlers": ["stderr"]},
}
OPENEDX_TELEMETRY: list[str] = []  # no monitoring service here

# event_bus_kafka before openedx_events: so `consume_events` is the one with clear errors and exit codes.
INSTALLED_APPS = ["examples.credentials", "event_bus_kafka", "openedx_events"]

EVENTS_SERVICE_NAME = "credentials"
# Reads only: without EVENT_BUS_PRODUCER its own code cannot send anything by mistake.
EVENT_BUS_CONSUMER = "event_bus_kafka.KafkaEventConsumer"
EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL = os.environ.get("SCHEMA_REGISTRY_URL")
# The same as in the services that send: it is part of the topic's name.
EVENT_BUS_TOPIC_PREFIX = "demo"
