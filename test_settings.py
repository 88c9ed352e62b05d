"""Settings of the project's own tests."""

SECRET_KEY = "not secret"
USE_TZ = True
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "openedx_events",
    "event_bus_kafka",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # that of production takes its time
ROOT_URLCONF = "tests.support.admin_urls"
STATIC_URL = "/static/"
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
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"},
    "other": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"},
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
OPENEDX_TELEMETRY: list[str] = []
EVENTS_SERVICE_NAME = "test"
EVENT_BUS_PRODUCER = "event_bus_kafka.create_producer"
EVENT_BUS_CONSUMER = "event_bus_kafka.KafkaEventConsumer"
# Nothing is written beside a test: other connections to a database in memory are in its way.
EVENT_BUS_KAFKA_HEARTBEAT = EVENT_BUS_KAFKA_HISTORY = 0
