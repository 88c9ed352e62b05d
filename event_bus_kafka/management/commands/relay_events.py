"""``manage.py relay_events``: send the rows of the outbox to Kafka."""

from __future__ import annotations

import gc
from contextlib import ExitStack
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS

from event_bus_kafka.assembly.observing import observe_events
from event_bus_kafka.assembly.relaying import relay_worker
from event_bus_kafka.errors import EventBusError
from event_bus_kafka.management.arguments import add_health_port
from event_bus_kafka.management.examples import OperatorCommand
from event_bus_kafka.telemetry import observe, unobserve
from event_bus_kafka.telemetry.events import RelayProgress

_ALLOCATIONS = 50_000
"""
Number of allocations between two garbage collections. The number is high, since the objects of a row are freed by
reference counting.
"""


class Command(OperatorCommand):
    example = "relay_events --once"
    help = (
        "Send the rows of the outbox to Kafka, until SIGTERM or SIGINT. Any number of relays share the work; on SQLite "
        "run only one. Exit codes: 0 clean stop or, with --once, no row waits (parked rows do not count); 1 wrong "
        "configuration, or missing tables; 2 forced stop (time limit or second signal); 3 an unexpected failure or, "
        "with --once, rows that have to wait."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--database", default=DEFAULT_DB_ALIAS, help="alias of the database (default: default)")
        parser.add_argument("--once", action="store_true", help="end when no row is left that can be sent")
        add_health_port(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        observe_events()
        with ExitStack() as at_end:
            try:
                worker = relay_worker(
                    options["database"], at_end, once=options["once"], health_port=options["health_port"]
                )
            except EventBusError as error:
                raise CommandError(f"Cannot relay events: {error}") from error
            gc.freeze()  # garbage collections between rows then skip the service's own objects
            gc.set_threshold(_ALLOCATIONS)
            observe(self._tell, RelayProgress)
            at_end.callback(unobserve, self._tell)
            exit_code = worker.run()
        if exit_code:
            raise SystemExit(exit_code)

    def _tell(self, event: Any) -> None:
        self.stdout.write(
            f"{event.sent} sent, {event.rate:.0f}/s; {event.depth} wait, the oldest for {event.oldest:.1f} s; "
            f"{sum(count for _, count in event.parked)} parked; held: {', '.join(event.held) or 'none'}"
        )
