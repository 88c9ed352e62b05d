"""Settings of the exams service."""

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
    "NAME": Path(os.environ.get("EXAMPLES_DATA", "."), "exams.sqlite3"),
    # Several processes write: writers wait for each other, readers never wait.
    "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": "PRAGMA journal_mode=WAL"},
}
# For PostgreSQL or MariaDB: ENGINE, HOST, PORT, USER, PASSWORD and OPTIONS as a JSON object.
_SERVER = json.loads(os.environ.get("DATABASE_SERVER") or "null")
DATABASES = {"default": _SERVER | {"NAME": "exams"} if _SERVER else _SQLITE}

# event_bus_kafka before openedx_events: its `consume_events` has clear errors and exit codes.
INSTALLED_APPS = ["examples.exams", "examples.platform_events", "event_bus_kafka", "openedx_events"]

# Part of each event's source, so that consumers know the sending service.
EVENTS_SERVICE_NAME = "exams"
EVENT_BUS_PRODUCER = "event_bus_kafka.create_producer"
EVENT_BUS_CONSUMER = "event_bus_kafka.KafkaEventConsumer"
EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL = os.environ.get("SCHEMA_REGISTRY_URL")
# In Kafka the names of topics begin with `demo-`; in settings and code they do not. All services need the same prefix,
# which separates deployments that share a Kafka cluster.
EVENT_BUS_TOPIC_PREFIX = "demo"

# All five event types share a topic and a key, so that all events of an attempt arrive in order.
_ATTEMPTS = {"learning-exam-attempt-lifecycle": {"event_key_field": "exam_attempt.course_key", "enabled": True}}
EVENT_BUS_PRODUCER_CONFIG = {
    "org.openedx.learning.exam.attempt.submitted.v1": _ATTEMPTS,
    "org.openedx.learning.exam.attempt.verified.v1": _ATTEMPTS,
    "org.openedx.learning.exam.attempt.rejected.v1": _ATTEMPTS,
    "org.openedx.learning.exam.attempt.errored.v1": _ATTEMPTS,
    "org.openedx.learning.exam.attempt.reset.v1": _ATTEMPTS,
}
EVENT_BUS_PRODUCER_MODE = "outbox"  # keeps the order: "verified, then rejected" would be another result

EVENT_BUS_KAFKA_SUBSCRIPTIONS = {"exams": ["learning-course-access-role-lifecycle"]}
