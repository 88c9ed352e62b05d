"""Workers run on those hosts of the table in docs/hosts.rst that need special packages or servers."""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest

from event_bus_kafka.sandbox import Sandbox
from tests.projects.process import ROOT
from tests.services.bus import SandboxBus
from tests.services.monitoring import monitoring_packages
from tests.support.databases import Database
from tests.support.dead_letters import InTable
from tests.support.hosts import USERS, run_worker

pytestmark = pytest.mark.real

SQLITE = {"DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}}
MONITORED: dict[str, tuple[str, str, dict[str, str], str]] = {
    "opentelemetry": (
        "from opentelemetry.instrumentation.auto_instrumentation import run; run()",
        "OpenTelemetryBackend",
        {"OTEL_TRACES_EXPORTER": "console", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"},
        "emit_signals_from_message",
    ),
    "ddtrace": (
        "from ddtrace.commands.ddtrace_run import main; main()",
        "DatadogBackend",
        {"DD_TRACE_STARTUP_LOGS": "true", "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false"},
        "DATADOG TRACER",
    ),
}
"""
For each monitoring package: code that starts a command with the package, the backend of edx-django-utils for the
package, environment variables, and a text that the active package logs.
"""


@pytest.mark.parametrize("package", MONITORED)
def test_a_worker_consumes_and_sends_events_if_a_monitoring_package_has_patched_django(
    sandbox: Sandbox, group: str, package: str
) -> None:
    """Each package patches Django before the worker is imported. ddtrace also patches confluent-kafka."""
    start, backend, environment, sign = MONITORED[package]
    path = os.pathsep.join((str(ROOT), str(monitoring_packages())))
    process = run_worker(
        SandboxBus(sandbox),
        group,
        environment | {"PYTHONPATH": path},
        SQLITE | {"OPENEDX_TELEMETRY": [f"edx_django_utils.monitoring.{backend}"]},
        before=(sys.executable, "-c", start),
    )
    assert sign in process.log


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_c14_four_lanes_cause_no_outage_with_a_connection_pool_of_two(
    sandbox: Sandbox, group: str, database: Database
) -> None:
    """
    One receiver queries the database. Another receiver fails, so dead letters are stored. The worker also reads the
    pauses.
    """
    pool = {"min_size": 0, "max_size": 2, "timeout": 30}
    entry: dict[str, Any] = database.entry | {"OPTIONS": {"pool": pool}}
    process = run_worker(
        SandboxBus(sandbox),
        group,
        {},
        {
            "DATABASES": {"default": entry},
            "EVENT_BUS_KAFKA_DEAD_LETTERS": "database",
            "EVENT_BUS_KAFKA_RETRY": {"attempts": 2, "first_delay": 0.05, "factor": 1},
            "EVENT_BUS_KAFKA_CIRCUIT": {"failures": 100},
        },
        receivers="hosts.arrive,receivers.revoke,receivers.fail_for_odd",
        is_well=False,
    )
    assert "outage" not in process.log
    letters = InTable(database.entry, database.blocker).read(10)
    assert sorted(letter.record.offset for letter in letters) == [user - 1 for user in USERS if user % 2]
