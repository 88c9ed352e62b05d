"""Settings of the service that EXAMPLES_SERVICE names, with Django's admin and with receivers that fail."""

import os
from typing import Any

from examples.tour.services import settings_of

_service = settings_of(os.environ["EXAMPLES_SERVICE"])
_settings: dict[str, Any] = {name: getattr(_service, name) for name in dir(_service) if name.isupper()}
globals().update(_settings)

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    *_settings["INSTALLED_APPS"],
    "examples.tour.desk.troubles.TroublesConfig",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
TIME_ZONE = "UTC"
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "examples.tour.desk.urls"
STATIC_URL = "/static/"
SESSION_COOKIE_NAME = f"session-{os.environ['EXAMPLES_SERVICE']}"  # browsers send cookies to all ports of a host
CSRF_COOKIE_NAME = f"csrf-{os.environ['EXAMPLES_SERVICE']}"

# Few attempts and short times, so that pages have something to show at once.
EVENT_BUS_KAFKA_RETRY = {"attempts": 3, "first_delay": 0.2, "factor": 2}
EVENT_BUS_KAFKA_CONSUMER_CONCURRENCY = 8  # so that a slow receiver does not delay others
EVENT_BUS_KAFKA_HEARTBEAT = 2
EVENT_BUS_KAFKA_SLOW_RECEIVER = 1
