"""Plans to pause or resume a receiver, and applies the plan."""

from __future__ import annotations

from datetime import UTC, datetime

import attrs
from django.db import router
from openedx_events.tooling import load_all_signals

from event_bus_kafka.dispatching import dispatch
from event_bus_kafka.dispatching.pauses import READ_EVERY
from event_bus_kafka.models import PausedReceiver
from event_bus_kafka.models.pauses import PausedReceiverQuerySet

NOTICED = f"Workers notice it within {READ_EVERY:g} seconds."


@attrs.frozen(kw_only=True)
class PausePlan:
    """A plan to pause or to resume one receiver."""

    receiver: str
    pauses: bool
    """True: the plan pauses the receiver; False: the plan resumes the receiver."""
    sentence: str
    """The effect of the plan, in words; empty: the plan changes nothing."""

    def apply(self, reason: str = "") -> str:
        """Pause or resume the receiver. Return the sentence to print. Raises a database error."""
        if self.pauses:
            _rows().pause(self.receiver, at=datetime.now(UTC), reason=reason)
            return f"Paused. {NOTICED}"
        _rows().resume(self.receiver)
        return (
            f"Resumed. {NOTICED} What became a dead letter meanwhile can be replayed: "
            f"manage.py event_dead_letters replay --receiver {self.receiver} --all"
        )


def plan_pause(receiver: str) -> PausePlan | None:
    """Plan to pause a receiver. Return None if this service has no such receiver. Raises a database error."""
    known = event_types_by_receiver()
    if receiver not in known:
        return None
    sentence = (
        f"{receiver} would not be called any more, in all groups, within {READ_EVERY:g} seconds; calls that run go on. "
        f"Its events ({', '.join(sorted(set(known[receiver])))}) would become dead letters, once the other receivers "
        "have had them."
    )
    is_paused = receiver in _rows().names()
    return PausePlan(receiver=receiver, pauses=True, sentence="" if is_paused else sentence)


def plan_resume(receiver: str) -> PausePlan | None:
    """
    Plan to resume a receiver. Return None if ``receiver`` is neither paused nor a receiver of this service. Raises a
    database error.
    """
    paused = _rows().names()
    if receiver not in {*paused, *event_types_by_receiver()}:
        return None
    sentence = f"{receiver} would get its events again, from the next one on." if receiver in paused else ""
    return PausePlan(receiver=receiver, pauses=False, sentence=sentence)


def paused_receivers() -> list[PausedReceiver]:
    """Return the paused receivers, including the reasons of the pauses, sorted by name. Raises a database error."""
    return list(_rows().with_reasons())


def event_types_by_receiver() -> dict[str, list[str]]:
    """Return a dict: name of a receiver of this service → event types to which the receiver listens."""
    load_all_signals()
    found: dict[str, list[str]] = {}
    for signal in dispatch.signals():
        for receiver in dispatch.receivers_of(signal):
            found.setdefault(receiver.name, []).append(signal.event_type)
    return found


def _rows() -> PausedReceiverQuerySet:
    return PausedReceiver.objects.using(router.db_for_write(PausedReceiver))
