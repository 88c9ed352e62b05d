"""
Sums that the flows add to: numbers and durations, by the values of a metric's labels. Each thread has its own, so that
adding takes no lock; a reader adds them up.
"""

from __future__ import annotations

import os
import threading
from bisect import bisect_left
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from weakref import ref

from event_bus_kafka.telemetry.metrics import Metric

OTHER = "other"
"""The label for names that this service does not know, and for values beyond ``_MOST``."""
_MOST = 10_000
"""Sums of one thread, at most. More would come from labels that should not exist: they are added to ``other``."""

Labels = tuple[str, ...]
Key = tuple[Metric, Labels]


class Tally:
    """Sums of one metric, for one value of each of its labels."""

    __slots__ = ("bounds", "buckets", "count", "longest", "seconds")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.count = 0
        self.seconds = 0.0
        self.longest = 0.0
        """The longest time since it was last forgotten, see :meth:`Tallies.read`."""
        self.bounds = bounds
        self.buckets = [0] * (len(bounds) + 1) if bounds else []
        """
        Counts of a histogram: times up to each of ``bounds`` and above the bound before it, then times above them all.
        """

    def take(self, seconds: float) -> None:
        """Add something that took ``seconds``."""
        self.count += 1
        self.seconds += seconds
        if seconds > self.longest:
            self.longest = seconds
        if self.buckets:
            self.buckets[bisect_left(self.bounds, seconds)] += 1

    def _add(self, other: Tally) -> None:
        self.count += other.count
        self.seconds += other.seconds
        self.longest = max(self.longest, other.longest)
        self.buckets = [mine + its for mine, its in zip(self.buckets, other.buckets, strict=True)]


Sums = dict[Key, Tally]
T = TypeVar("T")


class _Owner:
    """Lives as long as its thread. When it dies, the thread's sums are added to the ended threads' sums."""


class _OfThread(threading.local):
    """The calling thread's own."""

    def __init__(self, register: Callable[[_Owner, Sums], None]) -> None:
        self.sums: Sums = {}
        self.kept: dict[tuple[Callable[..., Any], str], Any] = {}
        self._owner = _Owner()
        register(self._owner, self.sums)


class Tallies:
    """
    The sums of this process since it started. A child process begins at nothing.

    :meth:`add` and :meth:`took` may be called by any thread, thousands of times a second; :meth:`read` now and then.
    """

    def __init__(self) -> None:
        self.reset()
        os.register_at_fork(after_in_child=self.reset)

    def reset(self) -> None:
        """Begin at zero, with a new lock: after a fork a thread of the parent may hold the old one."""
        self._lock = threading.Lock()
        self._threads: list[tuple[ref[_Owner], Sums]] = []
        self._ended: Sums = {}
        self._local = _OfThread(self._register)

    def add(self, metric: Metric, labels: Labels = (), count: int = 1) -> None:
        """Count something that happened; ``labels``: a value for each of the metric's labels, bounded in number."""
        self.of(metric, labels).count += count

    def took(self, metric: Metric, labels: Labels, seconds: float) -> None:
        """Count something that took ``seconds``."""
        self.of(metric, labels).take(seconds)

    def of(self, metric: Metric, labels: Labels) -> Tally:
        """Return the calling thread's tally, which no other thread may change."""
        sums = self._local.sums
        tally = sums.get((metric, labels))
        if tally is None:
            if len(sums) >= _MOST:
                labels = (OTHER,) * len(labels)
            tally = sums.setdefault((metric, labels), Tally(metric.bounds))
        return tally

    def kept(self, make: Callable[[str], T], name: str) -> T:
        """
        Return the result of ``make`` for ``name``, made once per thread: several tallies, found by a single look-up.
        """
        kept = self._local.kept
        found: T | None = kept.get((make, name))
        if found is None:
            found = kept[make, name] = make(name)
        return found

    def read(self, *, forget_longest: bool = False) -> Mapping[Key, Tally]:
        """
        Return the sums of all threads since the process started; an addition that happens meanwhile may be half
        included. ``forget_longest``: let :attr:`Tally.longest` begin anew, for the one reader that wants the longest of
        each period; to other readers that value means nothing.
        """
        _ = self._local.sums  # made now: it would wait for the lock, should an object that ends count something below
        with self._lock:
            self._fold()
            found: Sums = {}
            for sums in (self._ended, *(sums for _, sums in self._threads)):
                _add_all(found, sums)
                if forget_longest:
                    for tally in list(sums.values()):
                        tally.longest = 0.0
            return found

    def total(self, metric: Metric, **labels: str) -> int:
        """Return how often it happened, with these values of labels, whatever the others are."""
        metric = metric.counted_by or metric
        wanted = [(metric.labels.index(name), value) for name, value in labels.items()]
        return sum(
            tally.count
            for (one, values), tally in self.read().items()
            if one is metric and all(values[index] == value for index, value in wanted)
        )

    def _register(self, owner: _Owner, sums: Sums) -> None:
        with self._lock:
            self._fold()  # web servers may start a thread per request
            self._threads.append((ref(owner), sums))

    def _fold(self) -> None:
        running = []
        for thread in self._threads:
            owner, sums = thread
            if owner() is None:
                _add_all(self._ended, sums)
            else:
                running.append(thread)
        self._threads = running


def _add_all(found: Sums, sums: Sums) -> None:
    for (metric, labels), tally in list(sums.items()):  # its thread may add one meanwhile
        found.setdefault((metric, labels), Tally(metric.bounds))._add(tally)


tallies = Tallies()
