"""Settings of the LMS."""

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
    "NAME": Path(os.environ.get("EXAMPLES_DATA", "."), "lms.sqlite3"),
    # Several processes write: each takes its turn, and nobody waits to read.
    "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": "PRAGMA journal_mode=WAL"},
}
# PostgreSQL or MariaDB: ENGINE, HOST, PORT, USER, PASSWORD and OPTIONS as a JSON object.
_SERVER = json.loads(os.environ.get("DATABASE_SERVER") or "null")
DATABASES = {"default": _SERVER | {"NAME": "lms"} if _SERVER else _SQLITE}

# event_bus_kafka before openedx_events: so `consume_events` is the one with clear errors and exit codes.
INSTALLED_APPS = ["examples.lms", "examples.platform_events", "event_bus_kafka", "openedx_events"]

# Part of each event's source, so that a reader of the topic sees who wrote it.
EVENTS_SERVICE_NAME = "lms"
EVENT_BUS_PRODUCER = "event_bus_kafka.create_producer"
EVENT_BUS_CONSUMER = "event_bus_kafka.KafkaEventConsumer"
EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL = os.environ.get("SCHEMA_REGISTRY_URL")
# In Kafka the names of topics begin with `demo-`; in settings and code they do not. The same in all services: it keeps
# deployments apart that share a Kafka.
EVENT_BUS_TOPIC_PREFIX = "demo"

# What a topic is about and by what it is in order. Types that must stay in order share a topic and a key.
_ENROLLMENTS = {"course-enrollment-lifecycle": {"event_key_field": "enrollment.course.course_key", "enabled": True}}
_CERTIFICATES = {
    "learning-certificate-lifecycle": {"event_key_field": "certificate.course.course_key", "enabled": True}
}
_GRADES = {"learning-grade-lifecycle": {"event_key_field": "grade.course.course_key", "enabled": True}}
_ROLES = {
    "learning-course-access-role-lifecycle": {"event_key_field": "course_access_role_data.course_key", "enabled": True}
}
_INTENTS = {"learning-program-intent-lifecycle": {"event_key_field": "intent.program_uuid", "enabled": True}}
# The most events by far, and none that a rollback takes back: they leave at once, without a row each.
_TRACKING = {"analytics": {"event_key_field": "tracking_log.name", "enabled": True, "mode": "immediate"}}
EVENT_BUS_PRODUCER_CONFIG = {
    "org.openedx.learning.course.enrollment.created.v1": _ENROLLMENTS,
    "org.openedx.learning.course.enrollment.changed.v1": _ENROLLMENTS,
    "org.openedx.learning.course.unenrollment.completed.v1": _ENROLLMENTS,
    "org.openedx.learning.certificate.created.v1": _CERTIFICATES,
    "org.openedx.learning.certificate.revoked.v1": _CERTIFICATES,
    "org.openedx.learning.course.grade.updated.v1": _GRADES,
    "org.openedx.learning.user.course_access_role.added.v1": _ROLES,
    "org.openedx.learning.user.course_access_role.removed.v1": _ROLES,
    "org.openedx.learning.program.intent.detected.v1": _INTENTS,
    "org.openedx.analytics.tracking.event.emitted.v1": _TRACKING,
}
# Whoever was awarded a certificate must have it whatever dies in between: events are rows of the transaction, and the
# worker sends them (`consume_events --with-relay`).
EVENT_BUS_PRODUCER_MODE = "outbox"

# How `event_topics apply` makes topics. Services that come later read enrollments from the beginning: none expires.
EVENT_BUS_KAFKA_TOPICS = {
    "course-enrollment-lifecycle": {"partitions": 4, "options": {"retention.ms": -1}},
    "analytics": {"partitions": 8},
}

# What `consume_events` reads, and in which group.
EVENT_BUS_KAFKA_SUBSCRIPTIONS = {
    "lms": [
        "commerce-order-lifecycle",
        "enterprise-subscription-lifecycle",
        "enterprise-license-lifecycle",
        "learning-exam-attempt-lifecycle",
        "catalog-course-run-lifecycle",
    ],
}
# A receiver that fails is tried again after half a second, one, two, … The rest of its key waits, others go on.
# One that fails with a final error is not: the event becomes a dead letter for it at once.
EVENT_BUS_KAFKA_RETRY = {
    "attempts": 10,
    "first_delay": 0.5,
    "factor": 2,
    "final": ["examples.lms.exams.CreditBroken"],
}
