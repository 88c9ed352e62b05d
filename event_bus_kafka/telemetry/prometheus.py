"""
The metrics for Prometheus: all on the page ``/metrics``, some also in prometheus_client's default registry.

The package prometheus_client may be missing; the extra ``prometheus`` installs it. Importing prometheus_client is slow
and reads environment variables, so it is imported only when it is needed.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

import attrs

from event_bus_kafka.telemetry.metrics import CATALOGUE, SPILL_BYTES, SPILL_EVENTS, Metric, MetricKind
from event_bus_kafka.telemetry.samples import Sample, counted
from event_bus_kafka.telemetry.state import running
from event_bus_kafka.telemetry.tallies import Labels, Tally, tallies

MISSING = "Metrics need the package prometheus-client: install openedx-event-bus-kafka[prometheus]."


@cache
def client() -> ModuleType | None:
    """Return the module ``prometheus_client``; None if it is not installed."""
    try:
        return import_module("prometheus_client")
    except ImportError:
        return None


@attrs.frozen
class _Collector:
    """Collects the samples for prometheus_client, which calls :meth:`collect` at each scrape."""

    samples: Callable[[], Iterable[Sample]]

    def collect(self) -> Iterator[Any]:
        values: dict[Metric, dict[Labels, float | Tally]] = {}
        for sample in self.samples():
            values.setdefault(sample.metric, {})[sample.labels] = sample.value
        for metric in CATALOGUE:
            if metric in values:
                yield _family(metric, values[metric])


@attrs.frozen
class MetricsPage:
    """
    The page ``/metrics``. It shows only metrics of this package. It does not show prometheus_client's default registry.
    """

    samples: Callable[[], Iterable[Sample]]
    """Returns all samples of this process."""

    def __call__(self) -> tuple[str, bytes] | None:
        """Return the content type and the page; None if prometheus_client is not installed."""
        package = client()
        if package is None:
            return None
        registry = package.CollectorRegistry()
        registry.register(_Collector(self.samples))
        return package.CONTENT_TYPE_LATEST, package.generate_latest(registry)


class _DefaultRegistry:
    """
    Keeps counters of this process in prometheus_client's default registry, which web processes export. The gauges of
    events that wait for an outbox are there, too.

    :meth:`publish` increases real counters. A collector would not be enough, because its numbers are missing in
    multiprocess mode, where several processes share a directory.
    """

    def __init__(self) -> None:
        self._own: dict[Metric, Any] = {}
        """
        Cache: metric → prometheus_client's counter or gauge for the metric. The objects are kept because a name can be
        registered only once.
        """
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def publish(self) -> None:
        package = client()
        if package is None:
            return
        with self._lock:
            for sample in counted(tallies.read()):
                if isinstance(sample.value, Tally):  # a histogram would need each single observation
                    continue
                key = sample.metric, sample.labels
                if (more := sample.value - self._published.get(key, 0)) > 0:  # sums of seconds may differ by rounding
                    counter = self._of(sample.metric, package.Counter)
                    (counter.labels(*sample.labels) if sample.labels else counter).inc(more)
                    self._published[key] = sample.value
            for metric, value in zip((SPILL_EVENTS, SPILL_BYTES), running.spill(), strict=True):
                self._of(metric, package.Gauge, multiprocess_mode="livesum").set(value)

    def _of(self, metric: Metric, make: Callable[..., Any], **options: Any) -> Any:
        if metric not in self._own:
            self._own[metric] = make(metric.name, metric.sentence, metric.labels, **options)
        return self._own[metric]

    def _begin(self) -> None:
        """
        Create a new lock, and forget which counts were published. This is also done in child processes, because another
        thread of the parent process may have held the lock at the fork.
        """
        self._lock = threading.Lock()
        self._published: dict[tuple[Metric, Labels], float] = {}


_default_registry = _DefaultRegistry()


def publish() -> None:
    """
    Add the counts since the last call to the counters in prometheus_client's default registry, and set the gauges of
    events that wait for an outbox.

    Does nothing if prometheus_client is not installed. Call it every few seconds, and when the process ends.
    """
    _default_registry.publish()


def _family(metric: Metric, values: dict[Labels, float | Tally]) -> Any:
    core = import_module("prometheus_client.core")
    make = {
        MetricKind.COUNTER: core.CounterMetricFamily,
        MetricKind.GAUGE: core.GaugeMetricFamily,
        MetricKind.HISTOGRAM: core.HistogramMetricFamily,
    }[metric.kind]
    family = make(metric.name, metric.sentence, labels=metric.labels)
    for labels, value in values.items():
        if isinstance(value, Tally):
            family.add_metric(labels, buckets=_cumulated(value), sum_value=value.seconds)
        else:
            family.add_metric(labels, float(value))
    return family


def _cumulated(tally: Tally) -> list[tuple[str, float]]:
    """Return the buckets of a histogram in Prometheus's format: each bucket includes all lower buckets."""
    found, total = [], 0
    for bound, number in zip((*map(str, tally.bounds), "+Inf"), tally.buckets, strict=True):
        total += number
        found.append((bound, float(total)))
    return found
