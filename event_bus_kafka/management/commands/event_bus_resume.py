"""``manage.py event_bus_resume``: end a pause."""

from __future__ import annotations

from event_bus_kafka.management.pausing import PausingCommand
from event_bus_kafka.operations.pauses import PausePlan, plan_resume


class Command(PausingCommand):
    example = "event_bus_resume --receiver credentials.receivers.award --apply"
    help = (
        "End the pause of a receiver: it gets its events again, from the next one on. Without --receiver: list those "
        "that are paused. Prints its plan, and does it with --apply."
    )
    idle = "is not paused"

    def plan(self, receiver: str) -> PausePlan | None:
        return plan_resume(receiver)
