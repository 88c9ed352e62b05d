"""``manage.py event_bus_resume``: end the pause of a receiver."""

from __future__ import annotations

from event_bus_kafka.management.pausing import PausingCommand
from event_bus_kafka.operations.pauses import PausePlan, plan_resume


class Command(PausingCommand):
    example = "event_bus_resume --receiver credentials.receivers.award --apply"
    help = (
        "End the pause of a receiver: workers call it again, beginning with its next event. Without --receiver: list "
        "the paused receivers. Prints the plan; --apply carries it out."
    )
    idle = "is not paused"

    def plan(self, receiver: str) -> PausePlan | None:
        return plan_resume(receiver)
