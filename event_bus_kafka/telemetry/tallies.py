"""
For each metric and its labels, a tally: the number of occurrences and the sum of their durations. Each thread has its
own tallies, so that adding to them needs no lock. A reader adds up the tallies of all threads.
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
"""The label that replaces a name unknown to this service."""
_MOST = 10_000
"""
Maximum number of tallies of a thread, apart from those whose labels are all ``other``. At this number, values with new
labels are added to a tally whose labels are all ``other``. This happens only if code uses labels with too many
different values.
"""

Labels = tuple[str, ...]
Key = tuple[Metric, Labels]


class Tally:
    """The number of observations of a metric with given labels in one thread, and their total and longest duration."""

    __slots__ = ("bounds", "buckets", "count", "longest", "seconds")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.count = 0
        self.seconds = 0.0
        self.longest = 0.0
        """The longest duration since :meth:`Tallies.read` last reset it."""
        self.bounds = bounds
        self.buckets = [0] * (len(bounds) + 1) if bounds else []
        """
        Counts of a histogram's observations. There is one count for each interval up to a bound, and one count for
        observations above the last bound.
        """

    def take(self, seconds: float) -> None:
        """Add an observation whose duration was ``seconds``."""
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
    """
    An object that is garbage-collected when its thread ends. The next reader or new thread then adds the ended thread's
    tallies to those of all ended threads.
    """


class _OfThread(threading.local):
    """The tallies of the calling thread."""

    def __init__(self, register: Callable[[_Owner, Sums], None]) -> None:
        self.sums: Sums = {}
        self.kept: dict[tuple[Callable[..., Any], str], Any] = {}
        self._owner = _Owner()
        register(self._owner, self.sums)


class Tallies:
    """
    The tallies of all threads of this process since its start. A child process starts at zero.

    Any thread may call :meth:`add` and :meth:`took`, thousands of times a second. :meth:`read` is slower.
    """

    def __init__(self) -> None:
        self.reset()
        os.register_at_fork(after_in_child=self.reset)

    def reset(self) -> None:
        """
        Drop all tallies, and create a new lock. In a child process the old lock may stay locked for ever, because a
        thread of the parent process held it at the fork.
        """
        self._lock = threading.Lock()
        self._threads: list[tuple[ref[_Owner], Sums]] = []
        self._ended: Sums = {}
        self._local = _OfThread(self._register)

    def add(self, metric: Metric, labels: Labels = (), count: int = 1) -> None:
        """
        Add ``count`` to a counter. ``labels``: a value for each of the metric's labels; the number of different values
        must be bounded.
        """
        self.of(metric, labels).count += count

    def took(self, metric: Metric, labels: Labels, seconds: float) -> None:
        """Add an observation whose duration was ``seconds`` to a histogram."""
        self.of(metric, labels).take(seconds)

    def of(self, metric: Metric, labels: Labels) -> Tally:
        """Return the calling thread's tally for ``metric`` and ``labels``. No other thread may change this tally."""
        sums = self._local.sums
        tally = sums.get((metric, labels))
        if tally is None:
            if len(sums) >= _MOST:
                labels = (OTHER,) * len(labels)
            tally = sums.setdefault((metric, labels), Tally(metric.bounds))
        return tally

    def kept(self, make: Callable[[str], T], name: str) -> T:
        """
        Return the result of ``make(name)``. Each thread calls ``make`` only once per ``name``, and caches the result.
        Used to find several tallies by a single look-up.
        """
        kept = self._local.kept
        found: T | None = kept.get((make, name))
        if found is None:
            found = kept[make, name] = make(name)
        return found

    def read(self, *, forget_longest: bool = False) -> Mapping[Key, Tally]:
        """
        Return a tally for each metric and its labels, added up over all threads since the process started. An addition
        that another thread makes during this call may be included only in part.

        ``forget_longest``: whether to reset :attr:`Tally.longest`. Only the reader that reports the longest duration of
        each period may set it.
        """
        _ = self._local.sums  # creates the sums now: below, a destructor that counts would deadlock
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
        """Return the count of a metric, summed over all labels that ``labels`` does not name."""
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
    for (metric, labels), tally in list(sums.items()):  # the owning thread may add a key meanwhile
        found.setdefault((metric, labels), Tally(metric.bounds))._add(tally)


tallies = Tallies()
