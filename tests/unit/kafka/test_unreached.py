"""
The package notes which partitions a producer has reached. A producer has reached a partition when Kafka has confirmed
one of its records there. While a key may belong to an unreached partition, at most one record with this key is in
flight.
"""

from __future__ import annotations

import pytest

from event_bus_kafka.kafka import unreached
from event_bus_kafka.kafka.unreached import UnreachedPartitions


def test_a_key_may_belong_to_an_unreached_partition_until_its_first_record_is_confirmed() -> None:
    partitions = UnreachedPartitions({"a": 2, "b": 2})
    assert partitions.may_have("a", b"k")
    partitions.reach("a", b"k", 1)
    assert not partitions.may_have("a", b"k")
    assert partitions.may_have("a", b"other")
    assert partitions.may_have("b", b"k")


def test_no_key_of_a_topic_belongs_to_an_unreached_partition_after_all_its_partitions_are_reached() -> None:
    partitions = UnreachedPartitions({"a": 2, "b": 2})
    for key, partition in ((b"k", 1), (b"l", 1), (b"m", 0)):
        assert partitions.may_have("a", b"other")
        partitions.reach("a", key, partition)
    assert not partitions.may_have("a", b"other")
    assert partitions.may_have("b", b"other")


def test_the_partition_counts_are_stale_after_a_record_of_an_unknown_topic() -> None:
    partitions = UnreachedPartitions({})
    assert not partitions.is_stale
    partitions.reach("a", b"k", 0)
    assert partitions.is_stale
    assert partitions.may_have("a", b"other")


def test_the_partition_counts_become_stale_after_an_hour() -> None:
    times = iter([0.0, 3600.0, 3601.0])
    partitions = UnreachedPartitions({}, lambda: next(times))
    assert [partitions.is_stale for _ in range(2)] == [False, True]


def test_the_number_of_keys_known_to_belong_to_reached_partitions_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unreached, "_MOST_KEYS", 2)
    partitions = UnreachedPartitions({"a": 9})
    for key in (b"k", b"l", b"m"):
        partitions.reach("a", key, 0)
    assert [partitions.may_have("a", key) for key in (b"k", b"l", b"m")] == [True, True, False]
