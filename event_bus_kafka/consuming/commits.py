"""
Commits a worker's offsets: sends the positions that are due and notes the results. Repeats the last commit of revoked
partitions if Kafka refuses it.

``consuming/consumer.py`` decides when to commit. ``GroupOffsets.commit`` in ``kafka/offsets.py`` sends the request to
Kafka; before that, ``ConsumerClient`` refuses partitions that are not assigned.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

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
"""Maximum number of seconds for which the last commit of revoked partitions may delay the group's rebalance."""


@attrs.define(eq=False)
class Commits:
    """
    Commits the positions of a group, synchronously. An offset counts as committed only after Kafka has confirmed it.
    """

    group: str
    clock: Callable[[], float]
    pause: Callable[[float], None]
    refused: set[Partition] = attrs.field(factory=set)
    """
    Partitions whose offsets Kafka refused to commit in the last call of :meth:`commit`, or in all tries of
    :meth:`commit_last`.
    """

    def commit(self, client: ConsumerClient, partitions: Iterable[PartitionProgress]) -> dict[Partition, BrokerError]:
        """
        Commit all positions that are due. Return the error of each partition whose commit was refused. The position of
        such a partition stays due.
        """
        due = {one.name: one for one in partitions if one.uncommitted is not None}
        positions = {name: one.position for name, one in due.items() if one.position is not None}
        refused = client.commit_each(
            {name: Committed(offset, due[name].metadata.at(offset)) for name, offset in positions.items()}
        )
        self.refused = {*refused}
        for error in {error.code: error for error in refused.values()}.values():
            names = tuple(name for name, one in refused.items() if one.code == error.code)
            lost = isinstance(error, AssignmentLost)
            emit(CommitFailed(group=self.group, partitions=names, error=error, lost=lost))
        confirmed = [(name, offset) for name, offset in positions.items() if name not in refused]
        for name, offset in confirmed:
            due[name].confirm(offset)
        if confirmed:
            emit(OffsetsCommitted(group=self.group, offsets=tuple((*name, offset) for name, offset in confirmed)))
        return refused

    def commit_last(self, client: ConsumerClient, partitions: Collection[PartitionProgress]) -> None:
        """
        Commit the positions of revoked partitions. If a commit is refused with a temporary error, repeat it for at most
        ``_LAST_CHANCE`` seconds.
        """
        deadline, given_up = self.clock() + _LAST_CHANCE, set[Partition]()
        while refused := self.commit(client, partitions):
            again = [one for one in partitions if one.name in refused and _passes(refused[one.name])]
            if not again or self.clock() >= deadline:
                break
            partitions = again
            given_up |= refused.keys() - {one.name for one in again}
            self.pause(_AGAIN_AFTER)
        self.refused |= given_up


def _passes(error: BrokerError) -> bool:
    return meaning_of(error.code).passes_in_commit
