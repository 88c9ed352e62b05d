"""Settings of the LMS."""

from examples import environment

SECRET_KEY = "an example"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = environment.database("lms")
LOGGING = environment.LOGGING
OPENEDX_TELEMETRY: list[str] = []
INSTALLED_APPS = ["examples.lms", "event_bus_kafka", "openedx_events"]

EVENTS_SERVICE_NAME = "lms"
EVENT_BUS_PRODUCER = "event_bus_kafka.create_producer"
EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS = environment.BOOTSTRAP_SERVERS
EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL = environment.SCHEMA_REGISTRY_URL
EVENT_BUS_TOPIC_PREFIX = "demo"

# One topic and one key for both event types: what happens to certificates of a course stays in order.
_CERTIFICATES = {
    "learning-certificate-lifecycle": {"event_key_field": "certificate.course.course_key", "enabled": True}
}
EVENT_BUS_PRODUCER_CONFIG = {
    "org.openedx.learning.certificate.created.v1": _CERTIFICATES,
    "org.openedx.learning.certificate.revoked.v1": _CERTIFICATES,
}
