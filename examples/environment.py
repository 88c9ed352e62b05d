"""What a deployment gives each service through its environment: where Kafka, the registry and the database are."""

import os
from pathlib import Path
from typing import Any

DATA = Path(os.environ.get("EXAMPLES_DATA", "."))


def database(service: str) -> dict[str, Any]:
    """Return Django's DATABASES of a service: a file of its own."""
    return {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DATA / f"{service}.sqlite3"}}


BOOTSTRAP_SERVERS = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
SCHEMA_REGISTRY_URL = os.environ.get("SCHEMA_REGISTRY_URL")

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"level": "INFO", "handlers": ["stderr"]},
}
