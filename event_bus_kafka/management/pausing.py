"""Arguments and output shared by ``event_bus_pause`` and ``event_bus_resume``."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Collection
from difflib import get_close_matches
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import Error

from event_bus_kafka.dispatching.pauses import is_migrated
from event_bus_kafka.management.arguments import NOT_DONE, add_apply, add_json
from event_bus_kafka.management.examples import OperatorCommand
from event_bus_kafka.operations.pauses import PausePlan, event_types_by_receiver, paused_receivers
from event_bus_kafka.shown import shown
from event_bus_kafka.telemetry.error_text import database_error_text


class PausingCommand(OperatorCommand):
    """Base class of the commands that pause or resume a receiver. Without ``--receiver`` they list paused receivers."""

    idle: str
    """The state of a receiver for which the command has nothing to do, for example ``is not paused``."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--receiver",
            metavar="NAME",
            help="the receiver's name as in dead letters and logs: module.function, then #dispatch_uid if it has one; "
            "without this option the paused receivers are listed",
        )
        add_apply(parser)
        add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if not is_migrated():
                raise CommandError("The table of paused receivers is missing: run manage.py migrate.")
            self._handle(
                options["receiver"], options.get("reason", ""), apply=options["apply"], as_json=options["json"]
            )
        except Error as error:
            raise CommandError(f"The database cannot be used: {database_error_text(error)}.") from error

    @abstractmethod
    def plan(self, receiver: str) -> PausePlan | None:
        """Return the plan to pause or to resume ``receiver``; None if no receiver has this name."""

    def _handle(self, receiver: str | None, reason: str, *, apply: bool, as_json: bool) -> None:
        found = self._planned(receiver) if receiver else None
        plan = found.sentence if found else ""
        done = found.apply(reason) if found and plan and apply else ""
        if as_json:
            self._print_json(receiver, plan, done)
        elif receiver is None:
            self.stdout.write(_listed())
        else:
            self.stdout.write(plan or f"{shown(receiver)} {self.idle}: nothing to do.")
            if plan:
                self.stdout.write(self.style.SUCCESS(done) if done else NOT_DONE)

    def _planned(self, receiver: str) -> PausePlan:
        found = self.plan(receiver)
        if found is None:
            paused = [one.receiver for one in paused_receivers()]
            raise _unknown(receiver, {*event_types_by_receiver(), *paused})
        return found

    def _print_json(self, receiver: str | None, plan: str, done: str) -> None:
        change = {"receiver": receiver, "plan": plan, "applied": bool(done)} if receiver else {}
        paused = [
            {"receiver": one.receiver, "paused_at": one.paused_at.isoformat(), "reason": one.said_reason}
            for one in paused_receivers()
        ]
        self.stdout.write(json.dumps(change | {"paused": paused}, indent=2))


def _unknown(receiver: str, known: Collection[str]) -> CommandError:
    """Return the error for the unknown name ``receiver``. The error lists the names in ``known``."""
    nearest = get_close_matches(receiver, known, n=1)
    hint = f" Did you mean {nearest[0]}?" if nearest else ""
    listed = "".join(f"\n  {name}" for name in sorted(known)) or " none"
    return CommandError(f"{receiver} is no receiver of this service.{hint} There are:{listed}")


def _listed() -> str:
    lines = [
        f"{shown(one.receiver)}  since {one.paused_at:%Y-%m-%d %H:%M:%SZ}"
        + (f"  {shown(one.said_reason)}" if one.said_reason else "")
        for one in paused_receivers()
    ]
    return "\n".join(lines) or "None is paused."
