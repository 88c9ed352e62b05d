"""Settings of Discovery."""

import json
import os
from pathlib import Path

SECRET_KEY = "an example"
USE_TZ = True  # times of events are aware datetimes, and the database must store them as such
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LOGGING = {  # at INFO relay and worker log their actions
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "root": {"level": "INFO", "handlers": ["stderr"]},
}
OPENEDX_TELEMETRY: list[str] = []  # no monitoring service here

_SQLITE = {
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": Path(os.environ.get("EXAMPLES_DATA", "."), "discovery.sqlite3"),
    # Several processes write: writers wait for each other, readers never wait.
    "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": "PRAGMA journal_mode=WAL"},
}
# For PostgreSQL or MariaDB: ENGINE, HOST, PORT, USER, PASSWORD and OPTIONS as a JSON object.
_SERVER = json.loads(os.environ.get("DATABASE_SERVER") or "null")
DATABASES = {"default": _SERVER | {"NAME": "discovery"} if _SERVER else _SQLITE}

# event_bus_kafka before openedx_events: its `consume_events` has clear errors and exit codes.
INSTALLED_APPS = ["examples.discovery", "examples.platform_events", "event_bus_kafka", "openedx_events"]

# Part of each event's source, so that consumers know the sending service.
EVENTS_SERVICE_NAME = "discovery"
EVENT_BUS_PRODUCER = "event_bus_kafka.create_producer"
EVENT_BUS_CONSUMER = "event_bus_kafka.KafkaEventConsumer"
EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL = os.environ.get("SCHEMA_REGISTRY_URL")
# In Kafka the names of topics begin with `demo-`; in settings and code they do not. All services need the same prefix,
# which separates deployments that share a Kafka cluster.
EVENT_BUS_TOPIC_PREFIX = "demo"

EVENT_BUS_PRODUCER_CONFIG = {
    "org.openedx.catalog.course_run.updated.v1": {
        "catalog-course-run-lifecycle": {"event_key_field": "course_run.course_key", "enabled": True},
    },
    "org.openedx.catalog.program.updated.v1": {
        "catalog-program-lifecycle": {"event_key_field": "program.uuid", "enabled": True},
    },
}
# The topics are compacted: Kafka keeps the last record of each key for ever, so the order must be right. Worker and
# web process both write to the outbox; events are sent in the order of their transactions.
EVENT_BUS_PRODUCER_MODE = "outbox"

# Properties for `event_topics apply`: enough partitions for all workers, and compaction.
_COMPACTED = {"partitions": 4, "options": {"cleanup.policy": "compact"}}
EVENT_BUS_KAFKA_TOPICS = {"catalog-course-run-lifecycle": _COMPACTED, "catalog-program-lifecycle": _COMPACTED}

EVENT_BUS_KAFKA_SUBSCRIPTIONS = {"discovery": ["course-catalog-info-changed"]}
# A course that takes long delays only its own events.
EVENT_BUS_KAFKA_CONSUMER_CONCURRENCY = 4
