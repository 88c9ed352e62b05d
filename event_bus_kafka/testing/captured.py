"""The events that a service sent during a test, with assertions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, overload

import attrs
from openedx_events.data import EventsMetadata
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka.testing.commits import Commit, State, state_of
from event_bus_kafka.testing.expectations import Expectation
from event_bus_kafka.testing.reasons import reasons_against, signal_of
from event_bus_kafka.wire.records import ConsumerRecord


class UnsendableEvent(BaseException):
    """
    An event that cannot be sent. In production the event would be lost, and the loss logged.

    This class is not an Exception, because ``send_event`` swallows Exceptions. So a test fails at the line that emits
    the event.
    """

    def __init__(self, event_type: str, topic: str, reason: str) -> None:
        super().__init__(f"{event_type} cannot be sent to topic {topic!r}: {reason}")
        self.event_type = event_type
        self.topic = topic
        self.reason = reason


@attrs.frozen(kw_only=True, eq=False)
class CapturedEvent:
    """An event on one topic, decoded from the bytes that Kafka would have received."""

    event_type: str
    topic: str
    """The topic as configured, without the prefix."""
    key: Any
    data: dict[str, Any]
    metadata: EventsMetadata
    record: ConsumerRecord
    """The record with key, value and headers as bytes, and with the full topic name."""
    commits: tuple[Commit, ...] = attrs.field(default=(), repr=False)

    @property
    def state(self) -> State:
        """The current state of the event: sent, waiting for a commit, or rolled back."""
        return state_of(self.commits)

    def __str__(self) -> str:
        return f"{self.event_type} to {self.topic!r} with key {self.key!r}"


class CapturedEvents(Sequence[CapturedEvent]):
    """
    The sent events in the order in which they were emitted. An event that is sent to several topics occurs once per
    topic.

    Events of open and of rolled-back transactions are in ``unsent`` only.
    """

    def __init__(self) -> None:
        self._events: list[CapturedEvent] = []
        self._emitted: Counter[str] = Counter()
        self._unsendable: list[UnsendableEvent] = []

    @property
    def unsent(self) -> list[CapturedEvent]:
        """Events whose transaction is open or was rolled back. The ``state`` of each event tells which is the case."""
        return [event for event in self._events if event.state is not State.SENT]

    def assert_sent(
        self, event: OpenEdxPublicSignal | str, /, *, topic: str | None = None, key: Any = None, **data: Any
    ) -> CapturedEvent:
        """
        Return the first sent event of a signal or event type with this topic, key and data. None matches any topic or
        key.

        ``data`` are arguments of the signal, or fields of these arguments (``certificate__user__id=7``). A callable
        value is a predicate, which is called with the sent value.

        If no event matches, raise AssertionError with the differences from the most similar event, or
        :class:`UnsendableEvent` if an event could not be sent.
        """
        __tracebackhide__ = True
        signal = signal_of(event)
        expectation = Expectation(signal, topic=topic, key=key, data=data)
        of_type = self._of_type(signal.event_type)
        for candidate in of_type:
            if not expectation.differences(candidate):
                return candidate
        self.raise_unsendable()
        raise AssertionError("\n".join([f"{expectation} was not sent.", *self._explained(expectation, of_type)]))

    def assert_not_sent(
        self,
        event: OpenEdxPublicSignal | str | None = None,
        /,
        *,
        topic: str | None = None,
        key: Any = None,
        **data: Any,
    ) -> None:
        """
        Raise AssertionError if an event with this topic, key and data was sent. Without arguments, raise AssertionError
        if any event was sent. If an event could not be sent, raise :class:`UnsendableEvent` instead.
        """
        __tracebackhide__ = True
        self.raise_unsendable()
        found = list(self)
        if event is not None:
            expectation = Expectation(signal_of(event), topic=topic, key=key, data=data)
            found = [one for one in self._of_type(expectation.event_type) if not expectation.differences(one)]
        elif topic is not None or key is not None or data:
            raise TypeError("Pass the event that should have this topic, key and data.")
        if found:
            raise AssertionError("\n".join(["Sent against expectation:", *(f"  {one}" for one in found)]))

    def raise_unsendable(self) -> None:
        """Raise the first :class:`UnsendableEvent` again, if there is one, because other code may have swallowed it."""
        if self._unsendable:
            raise self._unsendable[0]

    def note_emitted(self, *, signal: OpenEdxPublicSignal, from_event_bus: bool, **kwargs: Any) -> None:
        """
        Count an event that this service emitted. Events from the event bus are not counted. This method is a receiver
        of all signals, so it also counts events that have no topic.
        """
        if not from_event_bus:
            self._emitted[signal.event_type] += 1

    def note(self, event: CapturedEvent) -> None:
        """Add an event that the producer accepted."""
        self._events.append(event)

    def note_unsendable(self, error: UnsendableEvent) -> UnsendableEvent:
        """Remember an event that the producer could not send; return ``error``."""
        self._unsendable.append(error)
        return error

    def _of_type(self, event_type: str) -> list[CapturedEvent]:
        return [event for event in self if event.event_type == event_type]

    def _explained(self, expectation: Expectation, of_type: list[CapturedEvent]) -> list[str]:
        lines = [f"One was {one.state.value}." for one in self.unsent if one.event_type == expectation.event_type]
        if of_type:
            nearest = min((expectation.differences(one) for one in of_type), key=len)
            return [*lines, f"The nearest of {len(of_type)}:", *(f"  {difference}" for difference in nearest)]
        if not lines:
            lines = reasons_against(expectation.signal, self._emitted[expectation.event_type])
        others = Counter(one.event_type for one in self)
        sent = ", ".join(f"{event_type} ({number})" for event_type, number in others.items()) or "nothing"
        return [*lines, f"Sent was: {sent}."]

    @overload
    def __getitem__(self, index: int) -> CapturedEvent: ...

    @overload
    def __getitem__(self, index: slice) -> list[CapturedEvent]: ...

    def __getitem__(self, index: int | slice) -> CapturedEvent | list[CapturedEvent]:
        return [event for event in self._events if event.state is State.SENT][index]

    def __len__(self) -> int:
        return len(self[:])

    def __repr__(self) -> str:
        return f"<CapturedEvents: {'; '.join(map(str, self)) or 'none'}>"
