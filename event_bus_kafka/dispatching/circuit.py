"""
Circuits, which detect that a receiver fails for many events in a row, of several keys. The caller passes all times as
arguments.
"""

from __future__ import annotations

from collections.abc import Hashable

import attrs


@attrs.frozen(kw_only=True)
class CircuitPolicy:
    """The conditions under which a circuit opens, and the time between the probes of an open circuit."""

    failures: int
    """Minimum number of failures in a row after which the circuit opens."""
    keys: int
    """
    Minimum number of different keys among the failed events, so that the events of one bad key do not open the circuit.
    """
    probe_every: float
    """Seconds between probes."""


@attrs.frozen(eq=False)
class Permit:
    """
    The permission to give one event to the receiver. The caller must report the result to the circuit in any case.
    """


@attrs.define
class Circuit:
    """
    The circuit of one receiver. Times are seconds of a monotonic clock.

    A closed circuit admits every event. It opens after ``policy.failures`` failures in a row for at least
    ``policy.keys`` keys. An open circuit admits only one event at a time, the probe. The next probe is admitted
    ``policy.probe_every`` seconds after the circuit opened or a probe failed. The first success closes the circuit,
    even if the event was admitted before the circuit opened.
    """

    policy: CircuitPolicy
    failures: int = 0
    """Number of failures in a row while the circuit is closed."""
    probe_at: float | None = None
    """Time at which the next probe may begin; None: the circuit is closed."""
    _keys: set[Hashable] = attrs.field(factory=set)
    _probe: Permit | None = None

    @property
    def is_open(self) -> bool:
        return self.probe_at is not None

    @property
    def is_calm(self) -> bool:
        """Whether the circuit is closed and no failure was noted since the last success."""
        return not self.is_open and not self.failures

    def permit(self, now: float) -> Permit | None:
        """Return the permission to give one event to the receiver; None: the event has to wait."""
        permit = Permit()
        if self.probe_at is not None:
            if self._probe is not None or now < self.probe_at:
                return None
            self._probe, self.probe_at = permit, now + self.policy.probe_every
        return permit

    def succeeded(self) -> bool:
        """Note a success; return whether the success closed the circuit."""
        closed = self.is_open
        self.failures, self.probe_at, self._probe = 0, None, None
        self._keys.clear()
        return closed

    def failed(self, permit: Permit, key: Hashable, now: float) -> bool:
        """Note a failure for an event with ``key``; return whether the failure opened the circuit."""
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
        """
        Note a result that neither opens nor closes the circuit, for example because a server was away. If the event was
        the probe, the next probe is admitted ``policy.probe_every`` seconds later.
        """
        if permit is self._probe:
            self._probe, self.probe_at = None, now + self.policy.probe_every

    def seconds_to_probe(self, now: float) -> float:
        """
        Return the seconds for which an event is to be held: until the next probe is due, or ``policy.probe_every`` if a
        probe is due already or running. Call this method only while the circuit is open.
        """
        left = (self.probe_at or now) - now
        return left if left > 0 else self.policy.probe_every
