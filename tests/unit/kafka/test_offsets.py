"""Kafka may return an error for a single partition. The package raises or returns this error, and never ignores it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import attrs
import pytest
from confluent_kafka import KafkaError

from event_bus_kafka.errors import AssignmentLost, BrokerError
from event_bus_kafka.kafka.offsets import Committed, GroupOffsets


@attrs.define
class Answers:
    """Stands in for confluent-kafka's consumer. ``error`` is the error code of partition 1, if any."""

    error: int | None = None

    def committed(self, _partitions: Any, timeout: float) -> list[Any]:
        return [self._of(0, None), self._of(1, self.error)]

    def commit(self, **_: Any) -> list[Any]:
        return [self._of(0, None), self._of(1, self.error)]

    def _of(self, number: int, error: int | None) -> Any:
        offset = -1001 if number else 5
        return SimpleNamespace(
            topic="t", partition=number, offset=offset, metadata=None, error=error and KafkaError(error)
        )


def group(error: int | None = None) -> GroupOffsets:
    offsets = GroupOffsets()
    offsets._client = Answers(error)
    return offsets


def test_reading_committed_offsets_raises_if_kafka_refuses_one_partition() -> None:
    names = [("t", 0), ("t", 1)]
    assert group().committed(names, timeout=1) == {("t", 0): Committed(5)}
    with pytest.raises(BrokerError, match="TOPIC_AUTHORIZATION_FAILED"):
        group(KafkaError.TOPIC_AUTHORIZATION_FAILED).committed(names, timeout=1)


def test_a_commit_can_return_the_error_of_each_refused_partition_instead_of_raising() -> None:
    offsets = {("t", 0): Committed(5), ("t", 1): Committed(1)}
    assert group().commit_each(offsets) == {}
    (refused,) = group(KafkaError.ILLEGAL_GENERATION).commit_each(offsets).items()
    assert (refused[0], type(refused[1])) == (("t", 1), AssignmentLost)


def test_a_commit_raises_if_kafka_refuses_one_partition() -> None:
    offsets = {("t", 0): Committed(5), ("t", 1): Committed(1)}
    group().commit(offsets)
    with pytest.raises(BrokerError, match="TOPIC_AUTHORIZATION_FAILED"):
        group(KafkaError.TOPIC_AUTHORIZATION_FAILED).commit(offsets)
    with pytest.raises(AssignmentLost):
        group(KafkaError.ILLEGAL_GENERATION).commit(offsets)
