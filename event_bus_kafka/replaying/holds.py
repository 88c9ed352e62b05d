"""The holds of a worker's replay request: when the worker tries again, and when it gives the request up."""

from __future__ import annotations

from math import inf

import attrs

from event_bus_kafka.replaying.halts import Halt

_FIRST_DELAY, _LONGEST_DELAY = 1.0, 60.0
"""
Seconds until a held request continues: the first delay and the longest one. The delay doubles with each hold, until the
request makes progress.
"""
_MOST_DOUBLINGS = 6
"""Maximum number of times that the delay doubles. Otherwise the power of two would overflow after a thousand holds."""


@attrs.frozen(kw_only=True)
class Held:
    """A hold of a request, which continues at ``until``. Times are by the clock of the worker's runner."""

    until: float = -inf
    times: int = 0
    """Number of holds since the request last made progress."""
    limited_since: float | None = None
    """
    Time at which the present series of holds with a limit (:attr:`Halt.within`) began; None: this hold has no limit.
    """
    note: str = ""
    is_too_long: bool = False
    """Whether the limit has passed, so that the request is stopped."""

    def again(self, halt: Halt, now: float) -> Held:
        """Return the hold that follows this one, because of ``halt`` at time ``now``."""
        delay = _FIRST_DELAY * 2 ** min(self.times, _MOST_DOUBLINGS)
        until, times = now + min(delay, _LONGEST_DELAY), self.times + 1
        if halt.within == inf:
            return Held(until=until, times=times, note=halt.note)
        since = now if self.limited_since is None else self.limited_since
        is_too_long = now - since >= halt.within
        limit = f"for {halt.within:g} s" if is_too_long else f"the request ends if this lasts for {halt.within:g} s"
        note = f"{halt.note} ({limit})"
        return Held(until=until, times=times, limited_since=since, note=note, is_too_long=is_too_long)
