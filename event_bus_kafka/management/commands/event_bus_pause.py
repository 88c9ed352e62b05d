"""``manage.py event_bus_pause``: let others go on without a receiver that fails."""

from __future__ import annotations

from datetime import UTC, datetime

from event_bus_kafka.management.pausing import PausingCommand, event_types_by_receiver, noticed, unknown
from event_bus_kafka.models import PausedReceiver


class Command(PausingCommand):
    example = "event_bus_pause --receiver credentials.receivers.award --apply"
    help = (
        "Pause a receiver of this service: it runs no more, and each of its events becomes a dead letter, to be "
        "replayed after event_bus_resume. Other receivers go on. Without --receiver: list those that are paused. "
        "Prints its plan, and does it with --apply."
    )
    idle = "is paused already"

    def plan(self, receiver: str) -> str:
        known = event_types_by_receiver()
        if receiver not in known:
            raise unknown(receiver, list(known), "receiver of this service")
        if receiver in PausedReceiver.objects.names():
            return ""
        return (
            f"{receiver} runs no more. Each of its events becomes a dead letter, once the other receivers have "
            f"had it: {', '.join(sorted(set(known[receiver])))}."
        )

    def apply(self, receiver: str) -> str:
        PausedReceiver.objects.pause(receiver, at=datetime.now(UTC))
        return f"Paused. {noticed()}"
