"""
Tracks the unreached partitions of a producer, and the keys that may belong to these partitions. A partition is
unreached until Kafka has confirmed a record of the producer on it.

If a broker does not know a producer, it accepts any sequence number from this producer. So after a broker has refused
the first request to a partition, it still accepts the next request. librdkafka may have sent this next request already,
so the order of records would be lost. Therefore a key that may belong to an unreached partition has only one record at
a time in flight, until one of its records is confirmed. After the confirmation the broker knows the producer for this
partition.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from time import monotonic

_MOST_KEYS = 10_000
_FORGOTTEN = 3600.0
"""
Seconds after which all partitions count as unreached again, for two reasons. Brokers forget a producer that was silent
for ``producer.id.expiration.ms``, a day by default. Topics may get more partitions.
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
        """Topics whose partitions are all reached."""
        self._keys: set[tuple[str, bytes]] = set()
        """
        Keys whose partition is reached. When there are ``_MOST_KEYS`` keys, all are forgotten. A forgotten key counts
        as unreached until a record of the key is confirmed again.
        """

    @property
    def is_stale(self) -> bool:
        """
        Whether the numbers of partitions must be read again, because an hour has passed or a topic is new. The caller
        then makes a new object, in which all partitions count as unreached.
        """
        return self._lacks_counts or self._clock() > self._until

    def may_have(self, topic: str, key: bytes) -> bool:
        """Return whether the partition of ``key`` may be unreached."""
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
