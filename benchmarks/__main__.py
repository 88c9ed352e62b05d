"""``make benchmark``: measures the cost of sending and consuming on real servers, which it starts and stops."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import attrs

from benchmarks.measurements import Suite
from benchmarks.plan import QUICK, THOROUGH, Plan
from benchmarks.report import as_data, as_text
from benchmarks.runs import Services, measure
from benchmarks.suites import DEFAULT, SUITES
from benchmarks.suites.logging import LOGGING
from event_bus_kafka.sandbox import Sandbox
from tests.services.bus import RealBus, SandboxBus
from tests.services.kafka import KafkaCluster
from tests.services.mariadb import MariaDB
from tests.services.mysql import MySQL
from tests.services.postgresql import PostgreSQL
from tests.services.schema_registry import SchemaRegistry

_ALL = "all"


def main() -> None:
    options = _parser().parse_args()
    plan = _plan(options)
    names = SUITES if _ALL in options.suite else options.suite
    suites = [SUITES[name](plan) for name in names]
    with ExitStack() as stack:
        services = _services(suites, stack)
        results = [measure(suite, plan, services, _tell) for suite in suites]
    print(as_text(results, plan))
    if options.json:
        options.json.write_text(json.dumps(as_data(results, plan), indent=1) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--suite", nargs="+", choices=(*SUITES, _ALL), default=DEFAULT, help="what is measured")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="few events and one round, to see whether it works; the figures mean nothing",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there too, with every single run")
    parser.add_argument("--rounds", type=int, help="runs of each case (default: as many as its suite says)")
    parser.add_argument("--events", type=int, help=f"events of each run (default: {THOROUGH.events:,})")
    parser.add_argument(
        "--logging", nargs="+", choices=LOGGING, default=[*QUICK.logging], help="what is logged, in the suite cost"
    )
    return parser


def _plan(options: argparse.Namespace) -> Plan:
    plan = QUICK if options.quick else THOROUGH
    return attrs.evolve(
        plan,
        events=options.events or plan.events,
        rounds=options.rounds or plan.rounds,
        logging=tuple(options.logging),
    )


def _services(suites: Sequence[Suite], stack: ExitStack) -> Services:
    """Start the servers that the cases need."""
    cases = [case for suite in suites for case in suite.cases]
    vendors = {case.database for case in cases}
    servers = [server for server in (PostgreSQL, MariaDB, MySQL) if server.vendor in vendors]
    started = [stack.enter_context(server()) for server in servers]
    return Services(
        kafka=RealBus(stack.enter_context(KafkaCluster()), stack.enter_context(SchemaRegistry())),
        sandbox=SandboxBus(stack.enter_context(Sandbox())) if any(case.sandbox for case in cases) else None,
        databases={server.vendor: server.settings() for server in started},
    )


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
