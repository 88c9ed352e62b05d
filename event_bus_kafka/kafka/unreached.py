"""
Tracks the partitions that a producer has not reached yet, and the keys that may belong to them.

A broker accepts any sequence number of a producer that it does not know. After it has refused the first request to a
partition, it still accepts the next one, which librdkafka may have sent already, and the order is lost. So a key that
may belong to an unreached partition has only one record at a time in flight, until one of its records is confirmed.
From then on the broker knows the producer for this partition.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from time import monotonic

_MOST_KEYS = 10_000
_FORGOTTEN = 3600.0
"""
Seconds after which all partitions count as unreached again. Brokers forget a producer that was silent for
``producer.id.expiration.ms``, a day by default, and topics may have more partitions by then.
"""


class UnreachedPartitions:
    """The unreached partitions of one producer; ``counts`` maps each topic to its number of partitions."""

    def __init__(self, counts: Mapping[str, int], clock: Callable[[], float] = monotonic) -> None:
        self._counts = counts
        self._clock = clock
        self._until = clock() + _FORGOTTEN
        self._lacks_counts = False
        self._reached: defaultdict[str, set[int]] = defaultdict(set)
        self.complete: set[str] = set()
        """Topics all of whose partitions are reached."""
        self._keys: set[tuple[str, bytes]] = set()
        """
        Keys whose partition is reached. When there are ``_MOST_KEYS`` keys, all are forgotten, and each counts as
        unreached until it is confirmed again.
        """

    @property
    def is_stale(self) -> bool:
        """
        Whether all partitions must be counted again and count as unreached, because an hour has passed or a topic is
        new.
        """
        return self._lacks_counts or self._clock() > self._until

    def may_have(self, topic: str, key: bytes) -> bool:
        """Return whether a key may belong to an unreached partition."""
        return topic not in self.complete and (topic, key) not in self._keys

    def reach(self, topic: str, key: bytes, partition: int) -> None:
        """Note that Kafka has confirmed a record of ``key`` on ``partition``."""
        reached = self._reached[topic]
        reached.add(partition)
        if topic not in self._counts:
            self._lacks_counts = True
        elif len(reached) >= self._counts[topic]:
            self.complete.add(topic)
        if len(self._keys) >= _MOST_KEYS:
            self._keys.clear()
        self._keys.add((topic, key))
