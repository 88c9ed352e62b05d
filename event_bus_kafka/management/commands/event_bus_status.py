"""``manage.py event_bus_status``: show the status and the problems of the whole bus."""

from __future__ import annotations

import json
from datetime import datetime
from time import monotonic, sleep
from typing import Any

import attrs
from django.core.management.base import CommandError, CommandParser
from openedx_events.tooling import load_all_signals

from event_bus_kafka.assembly.observing import observe_events
from event_bus_kafka.assembly.status import bus_status
from event_bus_kafka.errors import ConfigurationError
from event_bus_kafka.management import status_text
from event_bus_kafka.management.arguments import add_json, seconds
from event_bus_kafka.management.examples import OperatorCommand
from event_bus_kafka.management.long_runs import Interruption
from event_bus_kafka.operations.neglects.catalogue import Neglect
from event_bus_kafka.operations.neglects.wording import number
from event_bus_kafka.operations.status.values import Status

_WATCH_EVERY = 5.0
_CLEAR = "\033[H\033[J"


class Command(OperatorCommand):
    example = "event_bus_status --check"
    help = (
        "Show Kafka, the registry, topics, groups and their lag, workers and relays, the outbox, dead letters, pauses, "
        "the last hour, and neglects: problems that have lasted for some time. Changes nothing. Exit code 1 if a "
        "server does not answer; with --check also if there are findings."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--check",
            action="store_true",
            help="also check topics, rights, schemas, versions and tables; each finding names its remedy",
        )
        parser.add_argument(
            "--watch",
            nargs="?",
            type=seconds,
            const=_WATCH_EVERY,
            metavar="SECONDS",
            help=f"repeat every SECONDS until Ctrl-C (default: {_WATCH_EVERY:g})",
        )
        add_json(parser, "print JSON; with --watch one line each time")

    def handle(self, *args: Any, **options: Any) -> None:
        observe_events()
        load_all_signals()
        _judge(self._watch(options) if options["watch"] else self._look(options))

    def _watch(self, options: dict[str, Any]) -> Status:
        """Show the status again and again until an interruption; return the last status."""
        with Interruption() as interruption:
            status = self._look(options)
            while self._waited(options["watch"], interruption):
                status = self._look(options)
        return status

    def _waited(self, seconds: float, interruption: Interruption) -> bool:
        """Wait for ``seconds``; return False at once on an interruption."""
        due = monotonic() + seconds
        while not interruption.came and (left := due - monotonic()) > 0:
            sleep(min(left, 0.1))
        return not interruption.came

    def _look(self, options: dict[str, Any]) -> Status:
        try:
            status = bus_status(check=options["check"])
        except ConfigurationError as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(status), indent=None if options["watch"] else 2))
        else:
            clear = _CLEAR if options["watch"] and self.stdout.isatty() else ""
            self.stdout.write(clear + "\n".join(status_text.lines(status)))
        self.stdout.flush()
        return status


def _judge(status: Status) -> None:
    reasons = [
        f"the look at {one.server} failed" if one.is_fault else f"{one.server} gave no answer"
        for one in status.unanswered
    ]
    if status.findings:
        reasons.append(number(len(status.findings), "finding"))
    if reasons:
        raise CommandError(f"{'; '.join(reasons)}: see above.")


def _as_json(status: Status) -> dict[str, Any]:
    content = attrs.asdict(status, value_serializer=_plain)
    return content | {"neglects": [_neglect(one) for one in status.neglects]}


def _neglect(one: Neglect) -> dict[str, Any]:
    names = ("id", "subject", "message", "remedy")
    return {name: getattr(one, name) for name in names} | {"since": one.since.isoformat() if one.since else None}


def _plain(_: Any, __: Any, value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
