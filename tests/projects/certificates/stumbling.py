"""
Raises unexpected exceptions, several times in each thread that the package runs until the process ends. Prints which of
these threads are still alive, and how many exceptions were counted in callbacks and in threads.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic, sleep
from typing import Any

from django.conf import settings
from openedx_events.learning.signals import CERTIFICATE_CREATED

from event_bus_kafka.assembly.housekeeping import housekeeper
from event_bus_kafka.assembly.sending import spill
from event_bus_kafka.dead_letters import retention
from event_bus_kafka.dispatching import pauses
from event_bus_kafka.models import PausedReceiver
from event_bus_kafka.telemetry import events as kinds
from event_bus_kafka.telemetry import observe, tallies
from event_bus_kafka.telemetry.events import LifecycleEvent
from event_bus_kafka.telemetry.metrics import FAULTS
from tests.projects.certificates.apps import say
from tests.support.direct import encoded
from tests.support.examples_of import certificate

_TIMES = 3
_PERSONAL = "learner@example.com"


class Odd(BaseException):
    """An exception that no handler expects."""


_calls: Counter[str] = Counter()


def odd(name: str) -> Callable[..., None]:
    def stumble(*_: Any) -> None:
        _calls[name] += 1
        raise SystemExit(_PERSONAL) if name.endswith("_cb") else Odd(_PERSONAL)

    return stumble


def stumbled(name: str, before: int) -> None:
    """Wait until the count of exceptions for ``name`` exceeds ``before``."""
    deadline = monotonic() + 20
    while _calls[name] <= before:
        assert monotonic() < deadline, (_calls, threading.enumerate())
        sleep(0.01)


def run() -> None:
    settings.EVENT_BUS_KAFKA_PRODUCER_OPTIONS = {"stats_cb": odd("stats_cb"), "statistics.interval.ms": 50}
    observe(fail, *_AT)
    housekeeper.every(0.05, "Pauses were not read", pauses.read_now().read)
    housekeeper.every(0.05, "Marks were not deleted", lambda: retention.purge_all(90, history=7, dead_letters=True))
    for number in range(_TIMES):
        CERTIFICATE_CREATED.send_event(certificate=certificate(number))
        stumbled("RecordDelivered", number)
        spill.spill([encoded("t")], RuntimeError("away"))
        stumbled("EventSpilled", number)
        PausedReceiver.objects.create(receiver=f"receiver {number}", paused_at=datetime.now(UTC))
        stumbled("PausesChanged", number)
    for name in ("InboxMarksPurged", "stats_cb"):
        stumbled(name, _TIMES - 1)
    threads = sorted(thread.name for thread in threading.enumerate() if thread.name.startswith("event-bus"))
    say(
        "threads",
        alive=threads,
        counted=[tallies.total(FAULTS, place=place) for place in ("callback", "thread")],
    )


_AT: tuple[type[LifecycleEvent], ...] = (
    kinds.RecordDelivered,
    kinds.EventSpilled,
    kinds.PausesChanged,
    kinds.InboxMarksPurged,
)


def fail(event: LifecycleEvent) -> None:
    odd(type(event).__name__)()
