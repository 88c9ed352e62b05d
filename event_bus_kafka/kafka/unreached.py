"""
The partitions that a producer has not reached, and the keys that may be of one of them.

A broker takes any sequence of a producer that it does not know. If it refuses the first request to a partition it takes
the next one all the same, which librdkafka may have ready by then. So of a key that may be of an unreached partition
one record at a time is sent, until one is confirmed: then the broker knows the producer there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from time import monotonic

_MOST_KEYS = 10_000
_FORGOTTEN = 3600.0
"""
Seconds until all partitions count as unreached again. Brokers forget a producer that was silent for
``producer.id.expiration.ms``, a day by default, and topics may have got more partitions.
"""


class UnreachedPartitions:
    """The unreached partitions of one producer; ``counts`` is the number of partitions by topic."""

    def __init__(self, counts: Mapping[str, int], clock: Callable[[], float] = monotonic) -> None:
        self._counts = counts
        self._clock = clock
        self._until = clock() + _FORGOTTEN
        self._lacks_counts = False
        self._reached: defaultdict[str, set[int]] = defaultdict(set)
        self.complete: set[str] = set()
        """Topics of which all partitions are reached."""
        self._keys: set[tuple[str, bytes]] = set()
        """Keys whose partition is reached. More than ``_MOST_KEYS`` are forgotten: each may be reached once more."""

    @property
    def is_stale(self) -> bool:
        """Whether partitions are to be counted and reached anew: an hour has passed, or a topic is new."""
        return self._lacks_counts or self._clock() > self._until

    def may_have(self, topic: str, key: bytes) -> bool:
        """Whether a key may be of one of them."""
        return topic not in self.complete and (topic, key) not in self._keys

    def reach(self, topic: str, key: bytes, partition: int) -> None:
        """Kafka has confirmed a record of a key."""
        reached = self._reached[topic]
        reached.add(partition)
        if topic not in self._counts:
            self._lacks_counts = True
        elif len(reached) >= self._counts[topic]:
            self.complete.add(topic)
        if len(self._keys) >= _MOST_KEYS:
            self._keys.clear()
        self._keys.add((topic, key))
