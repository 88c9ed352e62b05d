"""
Commits the offsets of a worker: what is due, what became of it, and what is tried again.

``consuming/consumer.py`` decides when. The request to Kafka is ``GroupOffsets.commit`` in ``kafka/offsets.py``, before
which ``ConsumerClient`` refuses partitions that are not assigned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import attrs

from event_bus_kafka.consuming.progress import PartitionProgress
from event_bus_kafka.errors import AssignmentLost, BrokerError
from event_bus_kafka.kafka.consumer import ConsumerClient
from event_bus_kafka.kafka.error_codes import meaning_of
from event_bus_kafka.kafka.offsets import Committed, Partition
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import CommitFailed, OffsetsCommitted

_AGAIN_AFTER = 0.1
_LAST_CHANCE = 2.0
"""The longest, in seconds, that a group is kept waiting for the last commit of partitions that move away."""


@attrs.define(eq=False)
class Commits:
    """Commits positions for a group, synchronously. Only what Kafka confirmed counts as committed."""

    group: str
    clock: Callable[[], float]
    pause: Callable[[float], None]
    refused: int = 0
    """Partitions of the last commit, if it failed."""

    def commit(self, client: ConsumerClient, partitions: Iterable[PartitionProgress]) -> BrokerError | None:
        """Commit what is due; return the error. What was refused is due again."""
        due = {
            partition.name: (partition, offset)
            for partition in partitions
            if (offset := partition.uncommitted) is not None
        }
        self.refused = 0
        if not due:
            return None
        try:
            client.commit(
                {name: Committed(offset, partition.metadata.at(offset)) for name, (partition, offset) in due.items()}
            )
        except BrokerError as error:
            self.refused = len(due)
            emit(CommitFailed(group=self.group, partitions=tuple(due), error=error, lost=_is_lost(error)))
            return error
        for partition, offset in due.values():
            partition.confirm(offset)
        emit(OffsetsCommitted(group=self.group, offsets=_with_offsets(due)))
        return None

    def commit_last(self, client: ConsumerClient, partitions: list[PartitionProgress]) -> None:
        """Commit for partitions that move away, again while the refusal is one that passes."""
        deadline = self.clock() + _LAST_CHANCE
        while (
            (error := self.commit(client, partitions))
            and meaning_of(error.code).passes_in_commit
            and self.clock() < deadline
        ):
            self.pause(_AGAIN_AFTER)


def _is_lost(error: BrokerError) -> bool:
    return isinstance(error, AssignmentLost)


def _with_offsets(due: dict[Partition, tuple[PartitionProgress, int]]) -> tuple[tuple[str, int, int], ...]:
    return tuple((*name, offset) for name, (_, offset) in due.items())
