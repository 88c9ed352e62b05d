"""
Settings of the tour's own process. This process reads the databases of all services, which no service can do.

The tour's process neither sends events nor reads topics.
"""

from examples.tour.services import SERVICES, settings_of

SECRET_KEY = "an example"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
OPENEDX_TELEMETRY: list[str] = []

INSTALLED_APPS = [*(f"examples.{service}" for service in SERVICES), "examples.platform_events", "event_bus_kafka"]
DATABASES = {"default": {}} | {service: settings_of(service).DATABASES["default"] for service in SERVICES}
DATABASE_ROUTERS = ["examples.tour.router.ByService"]
