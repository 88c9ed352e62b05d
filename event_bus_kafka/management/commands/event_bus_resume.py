"""``manage.py event_bus_resume``: end a pause."""

from __future__ import annotations

from event_bus_kafka.management.pausing import PausingCommand, event_types_by_receiver, noticed, unknown
from event_bus_kafka.models import PausedReceiver


class Command(PausingCommand):
    example = "event_bus_resume --receiver credentials.receivers.award --apply"
    help = (
        "End the pause of a receiver: it gets its events again, from the next one on. Without --receiver: list those "
        "that are paused. Prints its plan, and does it with --apply."
    )
    idle = "is not paused"

    def plan(self, receiver: str) -> str:
        paused = PausedReceiver.objects.names()
        if receiver in paused:
            return f"{receiver} gets its events again, from the next one on."
        known = {*paused, *event_types_by_receiver()}
        if receiver not in known:
            raise unknown(receiver, list(known), "receiver of this service")
        return ""

    def apply(self, receiver: str) -> str:
        PausedReceiver.objects.resume(receiver)
        return (
            f"Resumed. {noticed()} What became a dead letter meanwhile: "
            f"manage.py event_dead_letters replay --receiver {receiver} --all"
        )
