"""What a worker may have read and not committed: records per partition, bytes of all partitions together."""

from __future__ import annotations

from event_bus_kafka.consuming.backpressure import Backpressure
from event_bus_kafka.consuming.progress import PartitionProgress
from tests.unit.consuming.scheduling import record


def test_bytes_are_bounded_over_all_partitions() -> None:
    partitions = [PartitionProgress("t", number) for number in range(2)]
    for partition in partitions:
        partition.take(record(0, key=b"k" * 60, partition=partition.number))
    size = partitions[0].size
    assert Backpressure(10, 2 * size, lambda: 0.0).are_full(partitions)
    assert not Backpressure(10, 2 * size + 1, lambda: 0.0).are_full(partitions)
