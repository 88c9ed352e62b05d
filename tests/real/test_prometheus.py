"""Prometheus accepts the exported metrics."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from event_bus_kafka.telemetry.metrics import CATALOGUE, MetricKind
from event_bus_kafka.telemetry.prometheus import MetricsPage
from event_bus_kafka.telemetry.samples import Sample
from event_bus_kafka.telemetry.tallies import Tally
from tests.services.prometheus import lint_of_metrics

pytestmark = pytest.mark.real


def _samples() -> Iterator[Sample]:
    for metric in CATALOGUE:
        tally = Tally(metric.bounds)
        tally.take(0.02)
        yield Sample(metric, tuple("x" for _ in metric.labels), tally if metric.kind is MetricKind.HISTOGRAM else 1)


def test_promtool_finds_nothing_wrong_with_the_exported_metrics() -> None:
    page = MetricsPage(_samples)()
    assert page is not None
    text = page[1].decode()
    assert all(metric.name in text for metric in CATALOGUE)
    assert lint_of_metrics(text) == ""
