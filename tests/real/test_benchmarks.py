"""The benchmark runs; its figures are for people to judge, on a quiet machine."""

from __future__ import annotations

import json

import pytest

from benchmarks.measurements import OPERATIONS, VARIANTS
from benchmarks.report import as_json, as_table
from benchmarks.runs import QUICK, measure
from tests.bus import RealBus
from tests.services.kafka import KafkaCluster
from tests.services.schema_registry import SchemaRegistry


@pytest.mark.timeout(300)  # nine processes, one after the other
def test_every_variant_sends_and_consumes_all_events(cluster: KafkaCluster, schema_registry: SchemaRegistry) -> None:
    summaries = measure(RealBus(cluster, schema_registry), QUICK, tell=lambda _: None)
    results = json.loads(as_json(summaries, QUICK))["results"]
    measured = [(result["operation"], result["variant"]) for result in results]
    assert measured == [(operation, variant) for operation in OPERATIONS for variant in VARIANTS]
    assert all([run["events"] for run in result["runs"]] == [QUICK.events] for result in results)
    assert as_table(summaries, QUICK).count("≥") == 2, "both goals stand beside what was measured"
