"""The legs of a probe's journey: how long each took, and which one failed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

import attrs

from event_bus_kafka.errors import EventBusError


class LegFailed(Exception):
    """A leg of a probe failed: this ends the probe, whose result contains it."""


@attrs.frozen(kw_only=True)
class Leg:
    """One leg. ``failure`` says why it failed, or that it was too slow; empty if it did not."""

    name: str
    seconds: float
    failure: str = ""


@attrs.frozen(kw_only=True)
class ClockDifference:
    """The seconds by which the broker's clock is ahead of this host's: between these two, below 0 if it is behind."""

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
    """None: the topic keeps the sender's times, or the event did not arrive."""

    @property
    def failed(self) -> Leg | None:
        """The first leg that failed or was too slow."""
        return next((leg for leg in self.legs if leg.failure), None)

    @property
    def seconds(self) -> float:
        """The duration of the whole probe."""
        return sum(leg.seconds for leg in self.legs)


@attrs.define
class Legs:
    """The legs of one probe so far. One that takes more than ``slow`` seconds has failed, but the probe goes on."""

    slow: float
    taken: list[Leg] = attrs.field(factory=list)

    @contextmanager
    def leg(self, name: str) -> Iterator[None]:
        """Take the time of a block. Raises :class:`LegFailed`, also in place of an error of this package."""
        began = monotonic()
        try:
            yield
        except (EventBusError, LegFailed) as error:
            self._add(name, monotonic() - began, str(error))
            raise LegFailed(str(error)) from error
        seconds = monotonic() - began
        self._add(name, seconds, f"slow: more than {self.slow:g} s" if seconds > self.slow else "")

    def rename_last(self, name: str) -> None:
        """Call the last leg otherwise: which way it took is known at its end."""
        self.taken[-1] = attrs.evolve(self.taken[-1], name=name)

    def _add(self, name: str, seconds: float, failure: str) -> None:
        self.taken.append(Leg(name=name, seconds=seconds, failure=failure))
