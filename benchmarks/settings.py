"""Settings of a measured process: a service in production that logs at INFO, for either package."""

import json
import os
from typing import Any

SECRET_KEY = "not secret"
USE_TZ = True
_DATABASE: dict[str, Any] | None = json.loads(os.environ["BENCHMARK_DATABASE"])
INSTALLED_APPS = ["openedx_events", *(["event_bus_kafka"] if _DATABASE else [])]
DATABASES = {"default": _DATABASE or {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
EVENT_BUS_PRODUCER_MODE = "outbox" if _DATABASE else "on-commit"
OPENEDX_TELEMETRY: list[str] = []
EVENTS_SERVICE_NAME = "benchmark"
EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS = os.environ["BENCHMARK_SERVERS"]
EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL = os.environ["BENCHMARK_REGISTRY"]
EVENT_BUS_KAFKA_CONSUMERS_ENABLED = True
EVENT_BUS_KAFKA_AUDIT_LOGGING_ENABLED = os.environ["BENCHMARK_AUDIT_LOG"] == "True"
_ENTRY = {"event_key_field": "certificate.user.id", "enabled": True}
EVENT_BUS_PRODUCER_CONFIG = {
    "org.openedx.learning.certificate.created.v1": dict.fromkeys(("sent", "consumed", "relayed"), _ENTRY)
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "service": {"format": "%(asctime)s %(levelname)s %(process)d [%(name)s] %(filename)s:%(lineno)d - %(message)s"}
    },
    "handlers": {"null": {"class": "logging.FileHandler", "filename": os.devnull, "formatter": "service"}},
    "root": {"level": "INFO", "handlers": ["null"]},
}
