"""
Tracks the topics that Kafka does not let a worker read. Without this, a worker that has lost the right READ would seem
to be healthy: librdkafka reports the refusal once, and goes on asking silently.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from time import monotonic

import attrs

from event_bus_kafka.errors import BrokerError, EventBusError
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import ClientErrorReported, LifecycleEvent
from event_bus_kafka.telemetry.guards import kept_alive
from event_bus_kafka.telemetry.health import Health, Obstacle
from event_bus_kafka.trouble import Trouble

_ASK_EVERY = 5.0
"""Seconds between two questions for the rights on refused topics."""
_REMIND_AFTER = 60.0
"""Minimum seconds between two reports of the same refusal."""

Rights = Mapping[str, frozenset[str] | BrokerError]
"""Topic → the operations that this user may perform on it, or the error because of which they are unknown."""


@attrs.frozen(kw_only=True)
class _Refusal:
    event: ClientErrorReported
    since: datetime
    reported: float
    """Monotonic time of the last report."""


class RefusedTopics:
    """
    An observer that collects the refusals which the consumer's client reports.

    A refused topic is an obstacle to health, and is reported once a minute. librdkafka does not report the end of a
    refusal. So a separate thread calls ``rights`` to ask Kafka for the user's rights on the refused topics. A refusal
    ends as soon as READ is among these rights. If Kafka does not answer, the refusals stay.
    """

    def __init__(
        self,
        rights: Callable[[Collection[str]], Rights],
        health: Health,
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """``rights``: returns the user's rights on the given topics; may raise :class:`EventBusError`."""
        self._rights = rights
        self._health = health
        self._clock = clock
        self._lock = threading.Lock()
        self._refusals: dict[str, _Refusal] = {}
        self._is_over = threading.Event()

    @property
    def topics(self) -> Collection[str]:
        """Full names of the topics that Kafka refuses at present. Any thread may read this property."""
        return self._refusals.keys()

    def __call__(self, event: LifecycleEvent) -> None:
        """If ``event`` says that Kafka refuses a topic to the consumer's client, note this refusal."""
        if not isinstance(event, ClientErrorReported) or not event.topic:
            return
        if event.client == "consumer" and event.kind == Trouble.FORBIDDEN and event.topic not in self._refusals:
            refusal = _Refusal(event=event, since=datetime.now(UTC), reported=self._clock())
            with self._lock:
                self._refusals = {**self._refusals, event.topic: refusal}
            self._show()

    def look(self) -> None:
        """
        End each refusal whose topic may be read again. Report the remaining refusals that were last reported at least a
        minute ago.
        """
        if not self._refusals:
            return
        readable = self._readable()
        now = self._clock()
        due = [one for one in self._refusals.values() if now - one.reported >= _REMIND_AFTER]
        due = [one for one in due if one.event.topic not in readable]
        with self._lock:
            left = {topic: one for topic, one in self._refusals.items() if topic not in readable}
            self._refusals = left | {one.event.topic: attrs.evolve(one, reported=now) for one in due}
        self._show()
        for one in due:
            emit(one.event)

    def start(self) -> None:
        """Start the thread that asks for rights."""
        threading.Thread(target=self._look_for_ever, name="event-bus-rights", daemon=True).start()

    def stop(self) -> None:
        """Stop the thread that asks for rights."""
        self._is_over.set()

    def _readable(self) -> set[str]:
        try:
            rights = self._rights(self._refusals.keys())
        except EventBusError:
            return set()  # nothing is known: the refusals stay
        return {topic for topic, told in rights.items() if not isinstance(told, BrokerError) and "READ" in told}

    def _show(self) -> None:
        self._health.replace(Obstacle.REFUSED, map(_text, self._refusals.values()))

    def _look_for_ever(self) -> None:
        while not self._is_over.wait(_ASK_EVERY):
            with kept_alive():
                self.look()


def _text(refusal: _Refusal) -> str:
    event = refusal.event
    return f"topic {event.topic} ({event.code}) since {refusal.since:%Y-%m-%d %H:%M:%S}Z"
