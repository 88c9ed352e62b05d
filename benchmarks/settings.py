"""
Settings of a measured process. They are like the settings of a service in production that uses this package or
edx-event-bus-kafka. The environment variable ``BENCHMARK`` contains, as JSON, the settings that differ from case to
case.
"""

import json
import os
from typing import Any

_GIVEN: dict[str, Any] = json.loads(os.environ["BENCHMARK"])
_DATABASE: dict[str, Any] | None = _GIVEN.get("database")

SECRET_KEY = "not secret"
USE_TZ = True
INSTALLED_APPS = ["openedx_events", *(["event_bus_kafka"] if _DATABASE else [])]
DATABASES = {"default": _DATABASE or {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
EVENT_BUS_PRODUCER_MODE = "on-commit"
OPENEDX_TELEMETRY: list[str] = []
EVENTS_SERVICE_NAME = "benchmark"
EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS = _GIVEN.get("servers", "")
EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL = _GIVEN["registry"]
EVENT_BUS_KAFKA_CONSUMERS_ENABLED = True
EVENT_BUS_PRODUCER_CONFIG = {
    "org.openedx.learning.certificate.created.v1": {
        topic: {"event_key_field": "certificate.user.id", "enabled": True} for topic in _GIVEN.get("topics", [])
    }
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "service": {"format": "%(asctime)s %(levelname)s %(process)d [%(name)s] %(filename)s:%(lineno)d - %(message)s"}
    },
    "handlers": {"null": {"class": "logging.FileHandler", "filename": os.devnull, "formatter": "service"}},
    "root": {"level": _GIVEN.get("settings", {}).get("LOG_LEVEL", "INFO"), "handlers": ["null"]},
}
globals().update(_GIVEN.get("settings", {}))
