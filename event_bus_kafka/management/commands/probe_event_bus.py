"""``manage.py probe_event_bus``: send a synthetic event through the bus, and measure each leg of its way."""

from __future__ import annotations

import json
from contextlib import ExitStack
from math import inf
from time import sleep
from typing import Any

import attrs
from django.core.management.base import CommandError, CommandParser

from event_bus_kafka.assembly.health_port import open_health_port
from event_bus_kafka.assembly.observing import observe_events
from event_bus_kafka.assembly.probing import probe
from event_bus_kafka.errors import EventBusError
from event_bus_kafka.management.arguments import add_json, number, port, seconds
from event_bus_kafka.management.examples import OperatorCommand
from event_bus_kafka.operations.probing.legs import ProbeResult
from event_bus_kafka.shown import shown


class Command(OperatorCommand):
    example = "probe_event_bus --every 60 --json"
    help = (
        "Send a synthetic event in the way of this service's events: through the registry, Kafka and, if events use "
        "them, the outbox and a relay. Then read the event from Kafka, without a consumer group. It goes to the topic "
        "event-bus-probe, and no receiver gets it. Prints how long each leg took. Exit code 1 if a leg fails or is "
        "slow."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--timeout", type=seconds, default=30.0, help="seconds after which a leg is given up (default: 30)"
        )
        parser.add_argument(
            "--slow", type=seconds, default=2.0, help="seconds after which a leg counts as failed (default: 2)"
        )
        parser.add_argument("--every", type=seconds, help="repeat the probe every EVERY seconds, until Ctrl-C")
        parser.add_argument("--count", type=number(least=1), help="with --every: end after COUNT probes")
        text = "with --every: port that serves the metrics of the probes at /metrics (default: none)"
        parser.add_argument("--health-port", type=port, metavar="PORT", help=text)
        add_json(parser, "print a line of JSON for each probe")

    def handle(self, *args: Any, **options: Any) -> None:
        observe_events()
        for name in ("count", "health_port"):
            if options[name] and not options["every"]:
                raise CommandError(f"--{name.replace('_', '-')} needs --every.")
        try:
            with ExitStack() as at_end:
                self._run(options, at_end)
        except KeyboardInterrupt:
            return
        except EventBusError as error:
            raise CommandError(str(error)) from error

    def _run(self, options: dict[str, Any], at_end: ExitStack) -> None:
        open_health_port(options["health_port"], at_end)
        one = probe(at_end, timeout=options["timeout"], slow=options["slow"])
        left = (options["count"] or inf) if options["every"] else 1
        failures: list[str] = []
        while True:
            result = one.run()
            self.stdout.write(_json(result) if options["json"] else _text(result))
            self.stdout.flush()
            if result.failed:
                failures.append(result.failed.name)
            left -= 1
            if left <= 0:
                break
            sleep(options["every"])
        if failures:
            raise CommandError(f"The event bus is not well: look at {', '.join(dict.fromkeys(failures))}.")


def _text(result: ProbeResult) -> str:
    lines = [f"{leg.name:<9}{leg.seconds:8.3f} s  {leg.failure and f'FAILED: {leg.failure}'}" for leg in result.legs]
    if result.clock:
        lines.append(f"The broker's clock {result.clock.text}.")
    if not result.failed:
        lines.append(f"The event came through, in {result.seconds:.3f} s.")
    return "\n".join(shown(line.rstrip()) for line in lines)


def _json(result: ProbeResult) -> str:
    failed = result.failed
    return json.dumps(
        {
            "ok": failed is None,
            "failed": failed and failed.name,
            "seconds": result.seconds,
            "legs": [attrs.asdict(leg) for leg in result.legs],
            "clock_ahead": result.clock and [result.clock.least, result.clock.most],
        }
    )
