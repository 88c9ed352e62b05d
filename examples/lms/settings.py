"""Settings of the LMS."""

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
    "NAME": Path(os.environ.get("EXAMPLES_DATA", "."), "lms.sqlite3"),
    # Several processes write: writers wait for each other, readers never wait.
    "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": "PRAGMA journal_mode=WAL"},
}
# For PostgreSQL or MariaDB: ENGINE, HOST, PORT, USER, PASSWORD and OPTIONS as a JSON object.
_SERVER = json.loads(os.environ.get("DATABASE_SERVER") or "null")
DATABASES = {"default": _SERVER | {"NAME": "lms"} if _SERVER else _SQLITE}

# event_bus_kafka before openedx_events: its `consume_events` has clear errors and exit codes.
INSTALLED_APPS = ["examples.lms", "examples.platform_events", "event_bus_kafka", "openedx_events"]

# Part of each event's source, so that consumers know the sending service.
EVENTS_SERVICE_NAME = "lms"
EVENT_BUS_PRODUCER = "event_bus_kafka.create_producer"
EVENT_BUS_CONSUMER = "event_bus_kafka.KafkaEventConsumer"
EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL = os.environ.get("SCHEMA_REGISTRY_URL")
# In Kafka the names of topics begin with `demo-`; in settings and code they do not. All services need the same prefix,
# which separates deployments that share a Kafka cluster.
EVENT_BUS_TOPIC_PREFIX = "demo"

# Event types whose events must stay in order share a topic and a key.
_ENROLLMENTS = {"course-enrollment-lifecycle": {"event_key_field": "enrollment.course.course_key", "enabled": True}}
_CERTIFICATES = {
    "learning-certificate-lifecycle": {"event_key_field": "certificate.course.course_key", "enabled": True}
}
_GRADES = {"learning-grade-lifecycle": {"event_key_field": "grade.course.course_key", "enabled": True}}
_ROLES = {
    "learning-course-access-role-lifecycle": {"event_key_field": "course_access_role_data.course_key", "enabled": True}
}
_INTENTS = {"learning-program-intent-lifecycle": {"event_key_field": "intent.program_uuid", "enabled": True}}
# Tracking events are the most frequent, and do not depend on a transaction: they are sent at once, without the outbox.
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
# A certificate's event must not be lost, whichever process dies: events are rows of the transaction, and the worker
# sends them (`consume_events --with-relay`).
EVENT_BUS_PRODUCER_MODE = "outbox"

# Properties that `event_topics apply` gives to topics. New services read all enrollments: no record expires.
EVENT_BUS_KAFKA_TOPICS = {
    "course-enrollment-lifecycle": {"partitions": 4, "options": {"retention.ms": -1}},
    "analytics": {"partitions": 8},
}

# The topics and the consumer group of `consume_events`.
EVENT_BUS_KAFKA_SUBSCRIPTIONS = {
    "lms": [
        "commerce-order-lifecycle",
        "enterprise-subscription-lifecycle",
        "enterprise-license-lifecycle",
        "learning-exam-attempt-lifecycle",
        "catalog-course-run-lifecycle",
    ],
}
# Delays of retries: half a second, one, two, … Only later records of the same key wait.
# After a final error there is no retry: the event becomes a dead letter for the receiver at once.
EVENT_BUS_KAFKA_RETRY = {
    "attempts": 10,
    "first_delay": 0.5,
    "factor": 2,
    "final": ["examples.lms.exams.CreditBroken"],
}
