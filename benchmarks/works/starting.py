"""The cost of a service's start: importing this package, ``django.setup()``, and creating the producer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence

from benchmarks.measurements import Figures

_CODE = """
import json, re, sys, time
{before}
modules, began, cpu = len(sys.modules), time.perf_counter(), time.process_time()
{measured}
wall, cpu = time.perf_counter() - began, time.process_time() - cpu
resident = int(re.search(r"VmRSS:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1000
print(json.dumps({{"wall": wall * 1e3, "cpu": cpu * 1e3, "resident": resident, "modules": len(sys.modules) - modules}}))
"""
_SETTINGS = """
from django.conf import settings
settings.configure(
    INSTALLED_APPS={apps!r}, OPENEDX_TELEMETRY=[], USE_TZ=True, SECRET_KEY="not secret",
    EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1", EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL="http://127.0.0.1:1",
    DATABASES={{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}}}, {more}
)
import django
"""


def import_package() -> Figures:
    """Return the figures of the first import of this package, for example by a settings module."""
    return _run("", "import event_bus_kafka")


def set_up(*, apps: Sequence[str], sends: bool = False, producer: bool = False) -> Figures:
    """
    Return the figures of ``django.setup()`` with the apps ``apps``. With ``producer``, return the figures of creating
    the producer after ``django.setup()``.
    """
    more = 'EVENT_BUS_PRODUCER="event_bus_kafka.create_producer"' if sends else ""
    before, measured = _SETTINGS.format(apps=apps, more=more), "django.setup()"
    if producer:
        before, measured = before + measured, "from openedx_events.event_bus import get_producer\nget_producer()"
    return _run(before, measured)


def _run(before: str, measured: str) -> Figures:
    code = _CODE.format(before=before, measured=measured)
    others = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, env=others, text=True, check=True)
    figures: Figures = json.loads(done.stdout)
    return figures
