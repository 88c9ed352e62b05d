"""When a service starts, it loads only the modules that it uses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SET_UP = """
import sys
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["openedx_events", "event_bus_kafka"], OPENEDX_TELEMETRY=[],
    EVENT_BUS_PRODUCER="event_bus_kafka.create_producer", EVENT_BUS_CONSUMER="event_bus_kafka.KafkaEventConsumer",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
)
import django
django.setup()
"""


def loaded_by(code: str) -> set[str]:
    """Return the modules loaded by a process that runs ``code``."""
    whole = f"{code}\nimport sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", whole], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_only_the_package_loads_neither_django_nor_kafka() -> None:
    loaded = loaded_by("import event_bus_kafka")
    assert {"django", "confluent_kafka", "fastavro", "openedx_events"} & loaded == set()


def test_starting_django_with_the_app_loads_no_kafka_client_and_no_modules_for_producing_or_consuming() -> None:
    loaded = loaded_by(SET_UP)
    assert "event_bus_kafka.models" in loaded
    unused = {"confluent_kafka", "event_bus_kafka.checks", "event_bus_kafka.producing", "event_bus_kafka.consuming"}
    assert unused & loaded == set()


def test_a_service_that_sends_does_not_load_the_modules_for_consuming() -> None:
    loaded = loaded_by(SET_UP + "import event_bus_kafka; event_bus_kafka.create_producer()")
    assert "event_bus_kafka.producing.producer" in loaded
    assert {"event_bus_kafka.consuming.consumer", "event_bus_kafka.worker.worker"} & loaded == set()


def test_checks_run_although_their_modules_are_not_loaded_at_the_start() -> None:
    code = """
from django.core.checks import run_checks
print(*[message.id for message in run_checks(tags=["event_bus_kafka"])])
"""
    assert "event_bus_kafka.E002" in loaded_by(SET_UP + code), "no broker is named"
