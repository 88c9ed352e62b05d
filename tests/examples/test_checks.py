"""
Django's checks find nothing wrong with valid configurations: those of the examples, and that of a service like the LMS.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.projects.process import ROOT

EXAMPLES = sorted(f"examples.{one.parent.name}.settings" for one in Path(ROOT, "examples").glob("*/settings.py"))
LMS_LIKE = "tests.projects.lms_like.settings"
CODE = """
import json, os, sys
import confluent_kafka.admin, confluent_kafka.schema_registry, django.contrib.contenttypes, django.db.models
import django.core.management, django.test.signals, openedx_events.tooling

found = {}
for name in sys.argv[1:]:
    read, write = os.pipe()
    if not os.fork():  # a process has one configuration; Python and its modules are loaded once for all
        os.environ["DJANGO_SETTINGS_MODULE"] = name
        import django
        from django.core.checks import run_checks
        django.setup()
        ids = [message.id for message in run_checks() if message.id.startswith("event_bus_kafka.")]
        os.write(write, json.dumps(ids).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        found[name] = answer.read()
    os.wait()
print(json.dumps(found))
"""


def test_django_checks_of_the_example_projects_report_only_w005(tmp_path: Path) -> None:
    """The only message is the note W005 about an outbox on SQLite. Examples in mode ``outbox`` get this note."""
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "lms")}
    addresses = {"BOOTSTRAP_SERVERS": "kafka:9092", "SCHEMA_REGISTRY_URL": "http://registry"}
    service = {f"EVENT_BUS_KAFKA_{name}": value for name, value in addresses.items()}
    process = subprocess.run(
        [sys.executable, "-c", CODE, *EXAMPLES, LMS_LIKE],
        cwd=ROOT,
        env=os.environ
        | {"KAFKA_BOOTSTRAP_SERVERS": "kafka:9092", "SCHEMA_REGISTRY_URL": "http://registry"}
        | {"SERVICE_SETTINGS": json.dumps(service | {"DATABASES": {"default": database}})},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    found = {name: json.loads(ids) for name, ids in json.loads(process.stdout).items()}
    assert len(found) == len(EXAMPLES) + 1
    assert {one for ids in found.values() for one in ids} == {"event_bus_kafka.W005"}, found
    assert found["examples.cms.settings"] == [], "this example has no outbox"
    assert found["examples.credentials.settings"] == [], "this example sends no events"
