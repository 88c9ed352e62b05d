"""The benchmark runs; its figures are for people to judge, on a quiet machine."""

from __future__ import annotations

import json

import pytest

from benchmarks.measurements import OPERATIONS, RELAYED, VARIANTS
from benchmarks.report import as_json, as_table
from benchmarks.runs import QUICK, measure, measure_relay
from tests.services.bus import RealBus
from tests.services.kafka import KafkaCluster
from tests.services.mariadb import MariaDB
from tests.services.postgresql import PostgreSQL
from tests.services.schema_registry import SchemaRegistry


@pytest.mark.timeout(900)  # twelve processes, one after the other
def test_every_variant_sends_consumes_and_relays_all_events(
    cluster: KafkaCluster, schema_registry: SchemaRegistry, postgresql: PostgreSQL, mariadb: MariaDB
) -> None:
    bus, databases = RealBus(cluster, schema_registry), {one.vendor: one.settings() for one in (postgresql, mariadb)}
    summaries = measure(bus, QUICK, tell=lambda _: None)
    relayed = measure_relay(bus, databases, QUICK, tell=lambda _: None)
    results = json.loads(as_json(summaries, relayed, QUICK))["results"]
    measured = [(result["operation"], result["variant"]) for result in results]
    assert measured == [
        *((operation, variant) for operation in OPERATIONS for variant in VARIANTS),
        *(("relay", variant) for variant in RELAYED),
    ]
    assert all([run["events"] for run in result["runs"]] == [QUICK.events] for result in results)
    assert bus.end_of("relayed") == len(RELAYED) * (QUICK.warm_up + QUICK.backlog), "each relay has sent all"
    assert as_table(summaries, relayed, QUICK).count("≥") == 4, "the goals stand beside what was measured"
