"""
The gate in front of receivers. A paused receiver gets no event. A receiver whose circuit is open gets only one event at
a time, the probe.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from random import random
from time import monotonic
from types import MappingProxyType

from event_bus_kafka.dispatching.circuit import Circuit, CircuitPolicy, Permit
from event_bus_kafka.dispatching.dispatch import Receiver
from event_bus_kafka.frozen import cheap_frozen
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import CircuitClosed, CircuitOpened
from event_bus_kafka.telemetry.health import Health, Obstacle

_SPREAD = 0.1
"""Share by which the delays of held events vary, so that each of these events has a chance to become the probe."""
_NO_PERMITS: Mapping[str, Permit] = MappingProxyType({})


@cheap_frozen
class Admission:
    """The receivers that may get an event now, and the receivers that may not."""

    admitted: list[Receiver]
    held: Sequence[Receiver] = ()
    """Receivers whose circuit is open."""
    paused: Sequence[Receiver] = ()
    permits: Mapping[str, Permit] = _NO_PERMITS
    """Name of an admitted receiver that failed lately → the receiver's permit for the event."""


class ReceiverGate:
    """
    The circuits and pauses of all receivers of a worker. Thread-safe.

    A circuit exists only while it has failures to remember. So an event takes the lock only if a receiver has failed or
    is paused. Without a policy no circuit ever opens.
    """

    def __init__(
        self,
        policy: CircuitPolicy | None = None,
        *,
        health: Health | None = None,
        paused: Callable[[], frozenset[str]] = frozenset,
        clock: Callable[[], float] = monotonic,
        chance: Callable[[], float] = random,
    ) -> None:
        self._policy = policy
        self._health = health or Health()
        self._paused = paused
        self._clock = clock
        self._chance = chance
        self._lock = threading.Lock()
        self._circuits: dict[str, Circuit] = {}

    def admit(self, receivers: list[Receiver]) -> Admission:
        """
        Return which of the receivers may get an event. The caller must pass the returned object to :meth:`ended` in any
        case. Raises :class:`PausesUnknown` if the pauses were never read.
        """
        names = self._paused()
        if not names and not self._circuits:
            return Admission(receivers)
        admitted, held, paused, permits = [], [], [], {}
        with self._lock:
            self._forget(names)
            for receiver in receivers:
                name = receiver.name
                if name in names:
                    paused.append(receiver)
                elif (circuit := self._circuits.get(name)) is None:
                    admitted.append(receiver)
                elif (permit := circuit.permit(self._clock())) is None:
                    held.append(receiver)
                else:
                    admitted.append(receiver)
                    permits[name] = permit
        return Admission(admitted=admitted, held=held, paused=paused, permits=permits)

    def ended(
        self, admission: Admission, failed: Collection[str], *, key: Hashable = None, conclusive: bool = True
    ) -> frozenset[str]:
        """
        Note which admitted receivers failed; return the names of failed receivers whose circuit is open now.

        ``key``: the key of the event; a circuit counts the different keys of failed events. ``conclusive``: False if
        the failures say nothing about the receivers, for example because a server was away.
        """
        if self._policy is None or not (failed or self._circuits):
            return frozenset()
        with self._lock:
            for receiver in admission.admitted:
                name = receiver.name
                permit = admission.permits.get(name) or Permit()
                if name not in failed:
                    self._succeeded(name)
                elif conclusive:
                    self._failed(name, permit, key)
                elif name in self._circuits:
                    self._circuits[name].came_to_nothing(permit, self._clock())
            return frozenset(name for name in failed if name in self._circuits and self._circuits[name].is_open)

    def delay(self, receivers: Collection[Receiver]) -> float:
        """Return the seconds after which an event that waits for ``receivers`` is to be tried again."""
        with self._lock:
            circuits = [self._circuits.get(receiver.name) for receiver in receivers]
            now = self._clock()
            seconds = min((one.seconds_to_probe(now) if one else 0.0 for one in circuits), default=0.0)
        return seconds * (1 + _SPREAD * self._chance())

    def open_circuits(self) -> tuple[str, ...]:
        """
        Return the names of receivers whose circuit is open. Takes no lock, since observers call it while the gate holds
        the lock.
        """
        return tuple(sorted(name for name, circuit in list(self._circuits.items()) if circuit.is_open))

    def paused_receivers(self) -> tuple[str, ...]:
        """Return the names of paused receivers. Raises :class:`PausesUnknown` if the pauses were never read."""
        return tuple(sorted(self._paused()))

    def _failed(self, name: str, permit: Permit, key: Hashable) -> None:
        assert self._policy is not None
        circuit = self._circuits.setdefault(name, Circuit(self._policy))
        if circuit.failed(permit, key, self._clock()):
            self._health.begin(Obstacle.CIRCUIT, name)
            emit(CircuitOpened(receiver=name, failures=circuit.failures, probe_every=self._policy.probe_every))

    def _succeeded(self, name: str) -> None:
        circuit = self._circuits.pop(name, None)
        if circuit is not None and circuit.succeeded():
            emit(CircuitClosed(receiver=name))
            self._health.end(Obstacle.CIRCUIT, name)

    def _forget(self, paused: Collection[str]) -> None:
        """Drop the circuits of paused receivers, because a pause ends an open circuit."""
        for name in self._circuits.keys() & set(paused):
            self._succeeded(name)
