"""The tallies that lanes update for each record, found by a single look-up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol
from weakref import ref

from event_bus_kafka.telemetry.metrics import LATENCY, RECEIVER_SECONDS, RECORDS_RECEIVED
from event_bus_kafka.telemetry.tallies import Tally, tallies

DONE, FAILED = "done", "failed"
"""
The values of the label ``outcome`` of :data:`~event_bus_kafka.telemetry.metrics.RECEIVER_SECONDS`, for calls of a
receiver that succeeded, and for calls that failed.
"""
_MOST_KNOWN = 1_000


class _Named(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def dispatch_uid(self) -> str | None: ...


class RecordTallies:
    """The tallies of a thread for records of an event type that has a signal in this service."""

    __slots__ = ("_calls", "_event_type", "latency", "received")

    def __init__(self, event_type: str) -> None:
        self._event_type = event_type
        self.received = tallies.of(RECORDS_RECEIVED, (event_type,))
        self.latency = tallies.of(LATENCY, (event_type,))
        self._calls: dict[int, tuple[ref[Any], str | None, Tally]] = {}
        """
        Cache: id of a receiver's function → weak reference to the function, ``dispatch_uid``, and tally of successful
        calls.
        """

    def of_calls(self, call: Callable[..., Any], receiver: _Named, has_failed: bool) -> Tally:
        """
        Return the tally for calls of a receiver. Successful calls are looked up by the receiver's function, since
        computing the receiver's name takes longer.
        """
        if not has_failed:
            known = self._calls.get(id(call))
            if known is not None and known[0]() is call and known[1] == receiver.dispatch_uid:
                return known[2]
        tally = tallies.of(RECEIVER_SECONDS, (self._event_type, receiver.name, FAILED if has_failed else DONE))
        if not has_failed:
            self._know(call, receiver.dispatch_uid, tally)
        return tally

    def _know(self, call: Callable[..., Any], uid: str | None, tally: Tally) -> None:
        if len(self._calls) >= _MOST_KNOWN:
            self._calls.clear()
        try:
            self._calls[id(call)] = ref(call), uid, tally
        except TypeError:  # the object allows no weak reference, for example a method implemented in C
            return
