"""Configures Sphinx, and generates parts of the documentation from tables in the code and the tests."""

import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
GENERATED = Path(__file__).parent / "_generated"

sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "test_settings")

import django  # noqa: E402 needs the settings

django.setup()

from docs import api_reference, check_table, command_table, evolution_tables  # noqa: E402 needs Django
from event_bus_kafka.conf.settings import all_settings  # noqa: E402 needs Django
from event_bus_kafka.operations.neglects.catalogue import CATALOGUE as NEGLECTS  # noqa: E402 needs Django
from event_bus_kafka.operations.status.findings import CATALOGUE as FINDINGS  # noqa: E402 needs Django
from event_bus_kafka.telemetry.logs.fields import FIELDS, PREFIX  # noqa: E402 needs Django
from event_bus_kafka.telemetry.metrics import CATALOGUE  # noqa: E402 needs Django

project = "openedx-event-bus-kafka"
copyright = "Open edX contributors, AGPL-3.0"
release = re.findall(r'^__version__ = "(.+)"$', (ROOT / "event_bus_kafka/__init__.py").read_text(), re.MULTILINE)[0]

nitpicky = True
exclude_patterns = ["_build", "_generated", "figures"]
extensions = ["docs.diagrams"]
html_theme = "furo"
html_title = "openedx-event-bus-kafka"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_js_files = ["pages.js"]


def write_settings() -> None:
    """Write a definition of each setting, with its sentence, its default and its accepted values."""
    entries = [
        f"``{one.name}``\n   {one.sentence}\n\n   Default: ``{one.default!r}``. Takes {one.kind.expects}.\n"
        for one in all_settings()
    ]
    (GENERATED / "settings.rst").write_text("\n".join(entries))


def write_log_fields() -> None:
    """Write a definition of each field of log lines."""
    entries = [f"``{PREFIX}{name}``\n   {sentence}\n" for name, sentence in FIELDS.items()]
    (GENERATED / "log_fields.rst").write_text("\n".join(entries))


def write_metrics() -> None:
    """Write a definition of each metric, with its sentence, its kind and its labels."""
    entries = []
    for metric in CATALOGUE:
        labels = ", ".join(f"``{label}``" for label in metric.labels) or "none"
        entries.append(f"``{metric.name}``\n   {metric.sentence}\n\n   A {metric.kind.value}. Labels: {labels}.\n")
    (GENERATED / "metrics.rst").write_text("\n".join(entries))


def write_neglects() -> None:
    """Write a definition of each kind of neglect, and of each kind of finding of ``event_bus_status --check``."""
    for name, kinds in (("neglects", NEGLECTS), ("findings", FINDINGS)):
        remedies = [one.remedy.replace("{subject}", "NAME").rstrip(".") for one in kinds]
        entries = [
            f"``{one.id}``\n   {one.sentence}\n\n   Remedy: {remedy}.\n"
            for one, remedy in zip(kinds, remedies, strict=True)
        ]
        (GENERATED / f"{name}.rst").write_text("\n".join(entries))


def write_evolution() -> None:
    """Write the tables about changes of event classes."""
    (GENERATED / "evolution_orders.rst").write_text(evolution_tables.orders())
    (GENERATED / "evolution_readings.rst").write_text(evolution_tables.readings())


def write_checks() -> None:
    """Write each id of the system checks, with examples of wrong configurations and their messages."""
    (GENERATED / "checks.rst").write_text(check_table.checks())


def write_commands() -> None:
    """Write the table of all commands, and an example of each."""
    (GENERATED / "commands.rst").write_text(command_table.table())
    (GENERATED / "command_examples.rst").write_text(command_table.examples())


def write_api() -> None:
    """Write the descriptions of all objects that services may import, of the errors, and of the lifecycle events."""
    (GENERATED / "api_exports.rst").write_text(api_reference.exports())
    (GENERATED / "api_testing.rst").write_text(api_reference.testing_kit())
    (GENERATED / "api_errors.rst").write_text(api_reference.error_classes())
    (GENERATED / "api_lifecycle_events.rst").write_text(api_reference.lifecycle_events())


GENERATED.mkdir(exist_ok=True)
write_api()
write_settings()
write_log_fields()
write_metrics()
write_neglects()
write_evolution()
write_checks()
write_commands()
