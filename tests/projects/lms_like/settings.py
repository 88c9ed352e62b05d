"""Settings of the project. The environment variable SERVICE_SETTINGS contains addresses and databases as JSON."""

import json
import os

from edx_django_utils.plugins import get_plugin_apps

from tests.projects.lms_like.databases import REPLICA

given = json.loads(os.environ.get("SERVICE_SETTINGS", "{}"))

SECRET_KEY = "not secret"
USE_TZ = True
USE_I18N = True
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "tests.projects.lms_like.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "tests.projects.lms_like.courseware",
    "tests.projects.lms_like.history",
    "openedx_events",
    "event_bus_kafka",
    *get_plugin_apps("lms.djangoapp"),
]
MIDDLEWARE = [
    "tests.projects.lms_like.middleware.LeftoversMiddleware",
    "edx_django_utils.cache.middleware.RequestCacheMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "tests.projects.lms_like.middleware.CourseMiddleware",
]
DATABASES = {name: entry | {"ATOMIC_REQUESTS": True} for name, entry in given.pop("DATABASES", {}).items()}
DATABASE_ROUTERS = ["tests.projects.lms_like.databases.Router"]
OUTBOX_DATABASE = "default"
COURSES_DATABASE = REPLICA
CELERY_BROKER_URL = "filesystem://"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_REDIRECT_STDOUTS = False
OPENEDX_TELEMETRY: list[str] = []
EVENTS_SERVICE_NAME = "lms"
EVENT_BUS_PRODUCER = "event_bus_kafka.create_producer"
EVENT_BUS_PRODUCER_MODE = "outbox"
EVENT_BUS_CONSUMER = "event_bus_kafka.KafkaEventConsumer"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "loggers": {"event_bus_kafka": {"level": "INFO", "handlers": ["stderr"]}},
}

globals().update(given)
