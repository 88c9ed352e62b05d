"""What ``event_bus_pause`` and ``event_bus_resume`` have in common."""

from __future__ import annotations

import json
from abc import abstractmethod
from difflib import get_close_matches
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import Error
from openedx_events.tooling import load_all_signals

from event_bus_kafka.dispatching import dispatch
from event_bus_kafka.dispatching.pauses import READ_EVERY, is_migrated
from event_bus_kafka.management.arguments import NOT_DONE, add_apply, add_json
from event_bus_kafka.management.examples import OperatorCommand
from event_bus_kafka.models import PausedReceiver
from event_bus_kafka.shown import shown
from event_bus_kafka.telemetry.error_text import database_error_text


class PausingCommand(OperatorCommand):
    """Changes one pause, or lists all."""

    idle: str
    """Why there may be nothing to do."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--receiver",
            metavar="NAME",
            help="module.function, and #dispatch_uid where it has one, as dead letters and logs name it; without this "
            "the paused receivers are listed",
        )
        add_apply(parser)
        add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        load_all_signals()
        try:
            if not is_migrated():
                raise CommandError("The table of paused receivers is missing: run manage.py migrate.")
            self._handle(options["receiver"], apply=options["apply"], as_json=options["json"])
        except Error as error:
            raise CommandError(f"The database cannot be used: {database_error_text(error)}.") from error

    @abstractmethod
    def plan(self, receiver: str) -> str:
        """Return what would be done, empty where there is nothing to do. Raises CommandError."""

    @abstractmethod
    def apply(self, receiver: str) -> str:
        """Do it, and return what to tell."""

    def _handle(self, receiver: str | None, *, apply: bool, as_json: bool) -> None:
        plan = self.plan(receiver) if receiver else ""
        done = self.apply(receiver) if receiver and plan and apply else ""
        if as_json:
            self._print_json(receiver, plan, done)
        elif receiver is None:
            self.stdout.write(_listed())
        else:
            self.stdout.write(plan or f"{shown(receiver)} {self.idle}: nothing to do.")
            if plan:
                self.stdout.write(self.style.SUCCESS(done) if done else NOT_DONE)

    def _print_json(self, receiver: str | None, plan: str, done: str) -> None:
        change = {"receiver": receiver, "plan": plan, "applied": bool(done)} if receiver else {}
        paused = [
            {"receiver": one.receiver, "paused_at": one.paused_at.isoformat()}
            for one in PausedReceiver.objects.order_by("receiver")
        ]
        self.stdout.write(json.dumps(change | {"paused": paused}, indent=2))


def event_types_by_receiver() -> dict[str, list[str]]:
    """Return the receivers of this service by name, with the event types that they listen to."""
    found: dict[str, list[str]] = {}
    for signal in dispatch.signals():
        for receiver in dispatch.receivers_of(signal):
            found.setdefault(receiver.name, []).append(signal.event_type)
    return found


def unknown(receiver: str, known: list[str], what: str) -> CommandError:
    """Return the error for a name that is none of those."""
    nearest = get_close_matches(receiver, known, n=1)
    hint = f" Did you mean {nearest[0]}?" if nearest else ""
    listed = "".join(f"\n  {name}" for name in sorted(known)) or " none"
    return CommandError(f"{receiver} is no {what}.{hint} There are:{listed}")


def noticed() -> str:
    return f"Workers notice it within {READ_EVERY:g} seconds."


def _listed() -> str:
    rows = PausedReceiver.objects.order_by("receiver")
    lines = [f"{shown(one.receiver)}  since {one.paused_at:%Y-%m-%d %H:%M:%SZ}" for one in rows]
    return "\n".join(lines) or "None is paused."
