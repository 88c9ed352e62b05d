"""Settings of the CMS."""

import os
from pathlib import Path

SECRET_KEY = "an example"
USE_TZ = True  # times of events are aware, so the database must keep them so
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": Path(os.environ.get("EXAMPLES_DATA", ".")) / "cms.sqlite3",
    }
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "root": {"level": "INFO", "handlers": ["stderr"]},
}
OPENEDX_TELEMETRY: list[str] = []  # no monitoring service here

INSTALLED_APPS = ["examples.cms", "event_bus_kafka", "openedx_events"]

# Part of each event's source, so that a reader of the topic sees who wrote it.
EVENTS_SERVICE_NAME = "cms"
# Sends only: without EVENT_BUS_CONSUMER nobody can start a worker here by mistake.
EVENT_BUS_PRODUCER = "event_bus_kafka.create_producer"
EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL = os.environ.get("SCHEMA_REGISTRY_URL")
# Keeps deployments apart that share a Kafka: the topic's full name is demo-course-catalog-info-changed.
EVENT_BUS_TOPIC_PREFIX = "demo"
# Only here: a registry that has just started on a busy machine is slow.
EVENT_BUS_KAFKA_REGISTRY_TIMEOUT = 5
EVENT_BUS_KAFKA_SEND_TIMEOUT = 10

EVENT_BUS_PRODUCER_CONFIG = {
    "org.openedx.content_authoring.course.catalog_info.changed.v1": {
        # The course is the key: what happens to one course run stays in order, whatever happens to others.
        "course-catalog-info-changed": {"event_key_field": "catalog_info.course_key", "enabled": True},
    },
}
