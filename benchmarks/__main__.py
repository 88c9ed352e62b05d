"""``make benchmark``: what sending and consuming cost, on a real Kafka that it starts and stops."""

from __future__ import annotations

import argparse
import sys

import attrs

from benchmarks.report import as_json, as_table
from benchmarks.runs import QUICK, THOROUGH, measure, measure_relay
from tests.services.bus import RealBus
from tests.services.kafka import KafkaCluster
from tests.services.mariadb import MariaDB
from tests.services.postgresql import PostgreSQL
from tests.services.schema_registry import SchemaRegistry


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few events, one round: whether it works, no figures")
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    parser.add_argument("--rounds", type=int, help=f"runs of each variant (default: {THOROUGH.rounds})")
    parser.add_argument("--events", type=int, help=f"events of each run (default: {THOROUGH.events})")
    parser.add_argument("--no-audit-log", action="store_true", help="without the log lines of each event, for both")
    options = parser.parse_args()
    plan = QUICK if options.quick else THOROUGH
    plan = attrs.evolve(
        plan,
        events=options.events or plan.events,
        rounds=options.rounds or plan.rounds,
        audit_log=not options.no_audit_log,
    )
    with KafkaCluster() as cluster, SchemaRegistry() as registry:
        bus = RealBus(cluster, registry)
        summaries = measure(bus, plan, _tell)
        with PostgreSQL() as postgresql, MariaDB() as mariadb:
            databases = {server.vendor: server.settings() for server in (postgresql, mariadb)}
            relayed = measure_relay(bus, databases, plan, _tell)
    print((as_json if options.json else as_table)(summaries, relayed, plan))


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
