"""
Measures the legs of a probe. A leg is one part of the way of the probe's event, for example from the outbox to Kafka.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

import attrs

from event_bus_kafka.errors import EventBusError


class LegFailed(Exception):
    """Raised if a leg of a probe fails. The probe ends, and the probe's result contains the failed leg."""


@attrs.frozen(kw_only=True)
class Leg:
    """
    A part of a probe's way, for example from the outbox to Kafka. ``failure``: why the leg counts as failed, for
    example because it was too slow; empty: it succeeded in time.
    """

    name: str
    seconds: float
    failure: str = ""


@attrs.frozen(kw_only=True)
class ClockDifference:
    """
    Seconds by which the broker's clock is ahead of this host's clock: at least ``least`` and at most ``most``. A
    negative number means that the broker's clock is behind.
    """

    least: float
    most: float

    @property
    def text(self) -> str:
        if self.least <= 0 <= self.most:
            return f"agrees with this host's, as far as can be told within {self.most - self.least:.2f} s"
        amounts = sorted((abs(self.least), abs(self.most)))
        return f"is {'ahead' if self.least > 0 else 'behind'} by {amounts[0]:.2f} to {amounts[1]:.2f} s"


@attrs.frozen(kw_only=True)
class ProbeResult:
    """The result of a probe."""

    legs: tuple[Leg, ...]
    clock: ClockDifference | None = None
    """
    Difference between the broker's clock and this host's clock. None: the topic has producers' timestamps (CreateTime),
    or the event did not arrive.
    """

    @property
    def failed(self) -> Leg | None:
        """The first leg that failed or was too slow; None: all legs succeeded in time."""
        return next((leg for leg in self.legs if leg.failure), None)

    @property
    def seconds(self) -> float:
        """Duration of the whole probe, in seconds."""
        return sum(leg.seconds for leg in self.legs)


@attrs.define
class Legs:
    """
    The legs of one probe that have ended so far. A leg that takes more than ``slow`` seconds counts as failed, but does
    not end the probe.
    """

    slow: float
    taken: list[Leg] = attrs.field(factory=list)

    @contextmanager
    def leg(self, name: str) -> Iterator[None]:
        """
        Measure the duration of a block as a leg. If the block raises an error of this package, :class:`LegFailed` is
        raised instead.
        """
        began = monotonic()
        try:
            yield
        except (EventBusError, LegFailed) as error:
            self._add(name, monotonic() - began, str(error))
            raise LegFailed(str(error)) from error
        seconds = monotonic() - began
        self._add(name, seconds, f"slow: more than {self.slow:g} s" if seconds > self.slow else "")

    def rename_last(self, name: str) -> None:
        """
        Rename the last leg. Its final name depends on where the event went (Kafka or the outbox), which is known only
        afterwards.
        """
        self.taken[-1] = attrs.evolve(self.taken[-1], name=name)

    def _add(self, name: str, seconds: float, failure: str) -> None:
        self.taken.append(Leg(name=name, seconds=seconds, failure=failure))
