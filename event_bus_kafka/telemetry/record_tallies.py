"""Tallies that lanes add to for each record, found by a single look-up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol
from weakref import ref

from event_bus_kafka.telemetry.metrics import LATENCY, RECEIVER_SECONDS, RECORDS_RECEIVED
from event_bus_kafka.telemetry.tallies import Tally, tallies

DONE, FAILED = "done", "failed"
"""Results of a receiver's call, a label of :data:`~event_bus_kafka.telemetry.metrics.RECEIVER_SECONDS`."""
_MOST_KNOWN = 1_000


class _Named(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def dispatch_uid(self) -> str | None: ...


class RecordTallies:
    """One thread's tallies for records of one event type, whose signal this service has."""

    __slots__ = ("_calls", "_event_type", "latency", "received")

    def __init__(self, event_type: str) -> None:
        self._event_type = event_type
        self.received = tallies.of(RECORDS_RECEIVED, (event_type,))
        self.latency = tallies.of(LATENCY, (event_type,))
        self._calls: dict[int, tuple[ref[Any], str | None, Tally]] = {}
        """Tallies of receivers that succeeded, by the function's id; the function itself is referred to weakly."""

    def of_calls(self, call: Callable[..., Any], receiver: _Named, has_failed: bool) -> Tally:
        """Return the tally of a receiver's calls. To look for a function is quicker than to make a receiver's name."""
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
        except TypeError:  # a method of C, say
            return
