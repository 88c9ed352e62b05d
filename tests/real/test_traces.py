"""Monitoring packages record the expected transactions and spans for events (case C6)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.services.monitoring import monitoring_packages

pytestmark = pytest.mark.real

_SILENT = {"DD_TRACE_STARTUP_LOGS": "false", "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false"}
PROVIDED = ("opentelemetry", "ddtrace-as-provider")
"""Monitoring packages that also record the spans that this package opens with OpenTelemetry."""
RECEIVER = "tests.support.traced.attempts.<locals>.receive"
_KEPT = ("kafka_topic", "kafka_offset", "kafka_event_type", "kafka_message_id")


def spans_of(package: str) -> list[dict[str, Any]]:
    path = os.pathsep.join((os.getcwd(), str(monitoring_packages())))
    done = subprocess.run(
        [sys.executable, "-B", "-m", "tests.support.traces", package],
        env=os.environ | _SILENT | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr
    assert "learner@example.com" not in done.stdout
    spans: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return spans


@pytest.mark.parametrize("package", ["opentelemetry", "ddtrace", "newrelic", *PROVIDED[1:]])
def test_c6_each_event_has_one_trace_that_contains_its_attributes_and_its_error_and_its_query(package: str) -> None:
    spans = spans_of(package)
    by_id = {span["id"]: span for span in spans}

    def path(span: dict[str, Any]) -> list[dict[str, Any]]:
        return [*(path(by_id[span["parent"]]) if span["parent"] else []), span]

    paths = [path(span) for span in spans if span["name"] == "SELECT"]
    ours = package in PROVIDED
    whole = ["consumer.consume", "emit_signals_from_message"]
    for offset, spans_of_event in enumerate(paths, 1):
        names = dict.fromkeys(span["name"] for span in spans_of_event)  # New Relic's transaction is a span as well
        assert list(names) == (["process t", *whole, RECEIVER, "SELECT"] if ours else [*whole, "SELECT"])
        attributes = next(span["attributes"] for span in spans_of_event if "kafka_topic" in span["attributes"])
        assert [attributes[name] for name in _KEPT] == [
            "t",
            offset,
            "org.openedx.learning.certificate.created.v1",
            "12345678-1234-5678-1234-567812345678",
        ]
        failed = [span["name"] for span in spans_of_event if span["errors"]]
        assert failed == (["process t", "consumer.consume", RECEIVER] if ours else ["consumer.consume"]) * (offset == 2)
    assert [len(paths), len({one[0]["id"] for one in paths}), sum(not span["parent"] for span in spans)] == [2] * 3
