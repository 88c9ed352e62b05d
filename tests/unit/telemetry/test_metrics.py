"""The catalogue of metrics is complete, and metrics are converted to the Prometheus format."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from event_bus_kafka.telemetry import metrics, samples
from event_bus_kafka.telemetry.metrics import CATALOGUE, Metric, MetricKind
from event_bus_kafka.telemetry.prometheus import MetricsPage
from event_bus_kafka.telemetry.samples import Sample, counted, gauged
from event_bus_kafka.telemetry.state import HeldTopic, Running
from event_bus_kafka.telemetry.tallies import Tallies
from tests.support.running import RelayOf, consumer

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("metric", CATALOGUE, ids=lambda metric: metric.name)
def test_names_and_units_of_metrics_follow_prometheus_conventions(metric: Metric) -> None:
    assert re.fullmatch(r"event_bus_kafka_[a-z_]*[a-z]", metric.name)
    assert metric.name.endswith("_total") == (metric.kind is MetricKind.COUNTER)
    assert bool(metric.bounds) == (metric.kind is MetricKind.HISTOGRAM)
    assert list(metric.bounds) == sorted(metric.bounds)
    assert metric.unit == ("seconds" if "seconds" in metric.name else "bytes" if "bytes" in metric.name else "")
    assert metric.sentence.endswith(".")
    assert len({*metric.labels, "le", "instance", "job"}) == len(metric.labels) + 3, (
        "a label is doubled, or Prometheus sets it"
    )


def test_names_of_metrics_are_unique() -> None:
    assert len({metric.name for metric in CATALOGUE}) == len(CATALOGUE) > 40


def shown(found: Iterator[Sample] | list[Sample]) -> dict[str, float]:
    """
    Return the values of the samples as the metrics page shows them. A key consists of a metric's name and, in
    parentheses, the values of its labels.
    """
    page = MetricsPage(lambda: found)()
    assert page is not None
    numbers = {}
    for family in text_string_to_metric_families(page[1].decode()):
        for one in family.samples:
            labels = ",".join(one.labels.values())
            numbers[f"{one.name.removeprefix('event_bus_kafka_')}({labels})"] = one.value
    return numbers


def test_tallies_are_exported_as_counters_and_histograms() -> None:
    tallies = Tallies()
    tallies.add(metrics.EVENTS_SENT, ("a", "outbox"), 3)
    for outcome, seconds in (("done", 0.25), ("done", 0.5), ("failed", 2.0)):
        tallies.took(metrics.REGISTRY_REQUESTS, (outcome,), seconds)
    for seconds in (0.2, 0.3, 4_000.0):
        tallies.took(metrics.LATENCY, ("a",), seconds)
    found = shown(counted(tallies.read()))
    buckets = {name: found.pop(name) for name in list(found) if "bucket" in name}
    assert found == {
        "events_sent_total(a,outbox)": 3,
        "registry_requests_total(done)": 2,
        "registry_requests_total(failed)": 1,
        "registry_seconds_total(done)": 0.75,
        "registry_seconds_total(failed)": 2,
        "records_done_total(a)": 3,
        "latency_seconds_count(a)": 3,
        "latency_seconds_sum(a)": 4_000.5,
    }
    of = {name.rpartition(",")[2].rstrip(")"): number for name, number in buckets.items()}
    assert (of["0.1"], of["0.25"], of["0.5"], of["3600.0"], of["21600.0"], of["+Inf"]) == (0, 1, 2, 2, 3, 3)


def test_the_state_of_a_worker_is_exported_as_gauges() -> None:
    running = Running()
    running.spill = lambda: (2, 5_000)
    with running.consumer(lambda: consumer(obstacles=("Kafka",))):
        assert shown(gauged(running, set)) == {
            "spill_events()": 2,
            "spill_bytes()": 5_000,
            "in_flight(g)": 4,
            "retries_waiting(g)": 3,
            "held_keys(g)": 1,
            "lanes(g)": 5,
            "lanes_awake(g)": 2,
            "open_circuits(g)": 1,
            "paused_receivers(g)": 2,
            "slow_receivers(g)": 0,
            "worker_ready(g)": 0,
            "lag(g,3,t)": 2,
            "lag_seconds(g,3,t)": 1.5,
            "window_fill_ratio(g,3,t)": 0.25,
            "flooded(g,3,t)": 1,
        }


def test_topics_unknown_to_the_service_are_summed_under_the_label_other() -> None:
    running = Running()
    held = (HeldTopic(topic="known", seconds=3.0, reason=""), HeldTopic(topic="odd", seconds=9.0, reason=""))
    with running.relay(RelayOf(depth={"known": 1, "odd": 2, "strange": 3}, held=held)):
        found = shown(gauged(running, lambda: {"known", "empty"}))
    assert {name: number for name, number in found.items() if not name.startswith("spill")} == {
        "relay_ready(default)": 1,
        "outbox_depth(default,known)": 1,
        "outbox_depth(default,empty)": 0,
        "outbox_depth(default,other)": 5,
        "outbox_oldest_seconds(default)": 0,
        "outbox_parked(default)": 6,
        "relay_topic_held_seconds(default,known)": 3,
        "relay_topic_held_seconds(default,other)": 9,
    }


def test_event_types_unknown_to_the_service_get_the_label_other() -> None:
    from event_bus_kafka.telemetry.counting import type_label

    created = "org.openedx.learning.certificate.created.v1"
    assert [type_label(one) for one in (created, "record_deleted", "invented", "")] == [
        created,
        "record_deleted",
        "other",
        "other",
    ]


_WEB = """
import json, os
import django; django.setup()
from prometheus_client import CollectorRegistry, REGISTRY, generate_latest, multiprocess
from prometheus_client.parser import text_string_to_metric_families
from event_bus_kafka.telemetry import metrics, tallies
from event_bus_kafka.telemetry.prometheus import publish
def count():
    tallies.add(metrics.EVENTS_SENT, ("a", "outbox"), 2)
    publish()
    tallies.add(metrics.EVENTS_SENT, ("a", "outbox"))
    tallies.took(metrics.REGISTRY_REQUESTS, ("done",), 0.5)
    tallies.add(metrics.COMMITS)
    publish()
    publish()
count()
for _ in range(2):
    pid = os.fork()
    if pid == 0:
        count()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
registry = REGISTRY
if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)
families = text_string_to_metric_families(generate_latest(registry).decode())
print(json.dumps({one.name: one.value for family in families for one in family.samples}))
"""


@pytest.mark.parametrize("processes", [1, 3], ids=["one registry", "multiprocess mode"])
def test_counters_are_exported_for_one_process_and_as_sums_over_processes_in_multiprocess_mode(
    processes: int, tmp_path: Path
) -> None:
    multiprocess = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)} if processes > 1 else {}
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "test_settings", "PYTHONPATH": str(ROOT)} | multiprocess
    done = subprocess.run([sys.executable, "-c", _WEB], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    names = ("events_sent_total", "registry_requests_total", "registry_seconds_total", "commits_total", "spill_events")
    assert [found[f"event_bus_kafka_{name}"] for name in names] == [
        3 * processes,
        processes,
        processes / 2,
        processes,
        0,
    ]


def test_every_metric_of_the_catalogue_is_used_in_the_code() -> None:
    """A metric that no code uses would exist only in the documentation."""
    package = Path(samples.__file__).parents[1]
    code = "".join(file.read_text() for file in package.rglob("*.py") if file != Path(metrics.__file__))
    names = {value: name for name, value in vars(metrics).items() if isinstance(value, Metric)}
    for metric in CATALOGUE:
        assert metric.counted_by or metric.seconds_of or re.search(rf"\b{names[metric]}\b", code), metric.name
