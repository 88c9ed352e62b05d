"""Circuits: detect receivers that fail for event after event, whatever the key. No clock: times are passed in."""

from __future__ import annotations

from collections.abc import Hashable

import attrs


@attrs.frozen(kw_only=True)
class CircuitPolicy:
    """The condition that opens a circuit, and the time between its probes."""

    failures: int
    """Number of failures in a row that opens it."""
    keys: int
    """Least number of different keys among the failed events: a single broken key opens no circuit."""
    probe_every: float
    """Seconds between probes."""


@attrs.frozen(eq=False)
class Permit:
    """The permission to give one event to the receiver. Its result must be reported, whatever it is."""


@attrs.define
class Circuit:
    """
    The circuit of one receiver. Times are seconds of a monotonic clock.

    Closed, it lets every event pass; ``policy.failures`` failures in a row open it. Open, it lets one event pass at a
    time, the probe; after a probe fails, the next may pass ``policy.probe_every`` seconds later. The first success
    closes it: of a probe, or of an event that was admitted before it opened.
    """

    policy: CircuitPolicy
    failures: int = 0
    """Failures in a row while it is closed."""
    probe_at: float | None = None
    """Time from which the next probe may go; None: the circuit is closed."""
    _keys: set[Hashable] = attrs.field(factory=set)
    _probe: Permit | None = None

    @property
    def is_open(self) -> bool:
        return self.probe_at is not None

    @property
    def is_calm(self) -> bool:
        """Whether it has nothing to remember."""
        return not self.is_open and not self.failures

    def permit(self, now: float) -> Permit | None:
        """Ask permission for one event; None: it has to wait."""
        permit = Permit()
        if self.probe_at is not None:
            if self._probe is not None or now < self.probe_at:
                return None
            self._probe, self.probe_at = permit, now + self.policy.probe_every
        return permit

    def succeeded(self) -> bool:
        """Note a success; return whether it closed the circuit."""
        closed = self.is_open
        self.failures, self.probe_at, self._probe = 0, None, None
        self._keys.clear()
        return closed

    def failed(self, permit: Permit, key: Hashable, now: float) -> bool:
        """Note a failure at an event with this key; return whether it opened the circuit."""
        if self.is_open:
            self.came_to_nothing(permit, now)
            return False
        self.failures += 1
        if len(self._keys) < self.policy.keys:
            self._keys.add(key)
        if self.failures < self.policy.failures or len(self._keys) < self.policy.keys:
            return False
        self.probe_at = now + self.policy.probe_every
        return True

    def came_to_nothing(self, permit: Permit, now: float) -> None:
        """Note that an event says nothing about the receiver, as a server was away: the next probe is due later."""
        if permit is self._probe:
            self._probe, self.probe_at = None, now + self.policy.probe_every

    def seconds_to_probe(self, now: float) -> float:
        """Return the seconds until the next probe may go, while it is open."""
        left = (self.probe_at or now) - now
        return left if left > 0 else self.policy.probe_every
