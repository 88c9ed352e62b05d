"""Settings of the project's own tests."""

SECRET_KEY = "not secret"
USE_TZ = True
INSTALLED_APPS = ["django.contrib.contenttypes", "openedx_events", "event_bus_kafka"]
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
