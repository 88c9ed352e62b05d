"""``manage.py event_bus_pause``: pause a receiver, for example one that fails."""

from __future__ import annotations

from django.core.management.base import CommandParser

from event_bus_kafka.management.pausing import PausingCommand
from event_bus_kafka.operations.pauses import PausePlan, plan_pause


class Command(PausingCommand):
    example = "event_bus_pause --receiver credentials.receivers.award --reason 'Mails go out twice' --apply"
    help = (
        "Pause a receiver of this service: workers no longer call it, and each of its events becomes a dead letter, to "
        "be replayed after event_bus_resume. Other receivers continue. Without --receiver: list the paused receivers. "
        "Prints the plan; --apply carries it out."
    )
    idle = "is paused already"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--reason", default="", metavar="TEXT", help="the reason, shown in the list of pauses")

    def plan(self, receiver: str) -> PausePlan | None:
        return plan_pause(receiver)
