"""Settings of the service. The environment variable SERVICE_SETTINGS contains further settings and changes as JSON."""

import json
import os

given = json.loads(os.environ.get("SERVICE_SETTINGS", "{}"))

SECRET_KEY = "not secret"
USE_TZ = True
INSTALLED_APPS = ["tests.projects.certificates", "openedx_events", "event_bus_kafka"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
OPENEDX_TELEMETRY: list[str] = []
EVENTS_SERVICE_NAME = "service"
EVENT_BUS_PRODUCER = "event_bus_kafka.create_producer"
EVENT_BUS_CONSUMER = "event_bus_kafka.KafkaEventConsumer"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "loggers": {"event_bus_kafka": {"level": "INFO", "handlers": ["stderr"]}},
}

globals().update(given)
