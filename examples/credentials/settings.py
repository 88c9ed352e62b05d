"""Settings of Credentials."""

from examples import environment

SECRET_KEY = "an example"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = environment.database("credentials")
LOGGING = environment.LOGGING
OPENEDX_TELEMETRY: list[str] = []
INSTALLED_APPS = ["examples.credentials", "event_bus_kafka", "openedx_events"]

EVENTS_SERVICE_NAME = "credentials"
EVENT_BUS_CONSUMER = "event_bus_kafka.KafkaEventConsumer"
EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS = environment.BOOTSTRAP_SERVERS
EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL = environment.SCHEMA_REGISTRY_URL
EVENT_BUS_TOPIC_PREFIX = "demo"
