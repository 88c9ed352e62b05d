"""Where assigned partitions begin, and where they go on when their offsets are gone."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

import attrs

from event_bus_kafka.consuming.offset_metadata import OffsetMetadata
from event_bus_kafka.consuming.progress import PartitionProgress
from event_bus_kafka.errors import BrokerError, WorkerFailed
from event_bus_kafka.kafka import error_codes
from event_bus_kafka.kafka.consumer import ConsumerClient
from event_bus_kafka.kafka.offsets import Committed, Partition
from event_bus_kafka.shown import shown_time
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import ClientErrorReported, OffsetsLost, OffsetsMoved

_TIMEOUT = 5.0
"""Seconds for one request to Kafka."""
Partitions = dict[Partition, PartitionProgress]


def milliseconds(text: str) -> int:
    """
    Return a time in ISO 8601, with its offset from UTC, as Kafka counts it: in milliseconds since the epoch.

    Raises ValueError, saying what is wrong.
    """
    try:
        time = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise ValueError(f"{text!r} is no time in ISO 8601, such as 2026-01-31T08:00:00Z") from None
    if time.tzinfo is None:
        raise ValueError(f"{text!r} does not say in which time zone it is: add Z, or an offset such as +01:00")
    if (found := round(time.timestamp() * 1000)) < 0:
        raise ValueError(f"{text!r} is before 1970, when Kafka's times begin")
    return found


@attrs.frozen
class StartingOffsets:
    """
    Tells the client of a group where to read. ``time``, in milliseconds since the epoch: partitions begin at the first
    record at or after it, each once for each value, which the committed offset remembers.
    """

    group: str
    time: int | None = None

    def start(self, client: ConsumerClient, partitions: Partitions) -> None:
        """
        Have the client read the partitions that wait: new ones, which are added to ``partitions``, and those of them
        whose offset is gone. What fails is tried again by the next call: Kafka may be away at any time.

        Raises :class:`WorkerFailed` where these brokers cannot find offsets by time.
        """
        if not client.positions.waiting:
            return
        try:
            self._start(client, partitions)
        except BrokerError as error:
            if error.code == error_codes.UNSUPPORTED_FEATURE:
                raise WorkerFailed(error.reason, exit_code=1) from error
            emit(ClientErrorReported(client="consumer", error=error, code=error.code, kind=error.kind, fatal=False))

    def _start(self, client: ConsumerClient, partitions: Partitions) -> None:
        waiting = client.positions.waiting
        gone = {name: partition for name, partition in partitions.items() if name in waiting}
        for name, partition in gone.items():
            if waiting[name] == partition.next_offset:  # else the error came late; one that is true comes again
                self._go_on(client, name, partition)
        starting = gone | self._new(client, waiting.keys() - gone.keys())
        client.positions.start(_next(starting), reading=_next(partitions))
        for partition in gone.values():
            partition.paused = ""
        partitions |= starting

    def _new(self, client: ConsumerClient, names: Collection[Partition]) -> Partitions:
        committed = client.committed(names, timeout=_TIMEOUT) if names else {}
        metadata = {name: OffsetMetadata.read(committed[name].metadata if name in committed else "") for name in names}
        told = [name for name in names if self.time is not None and metadata[name].offset_time != self.time]
        if offsets := client.offsets_at(told, self.time or 0, timeout=_TIMEOUT):
            metadata |= {name: attrs.evolve(metadata[name], offset_time=self.time) for name in offsets}
            moved = {name: Committed(offset, metadata[name].at(offset)) for name, offset in offsets.items()}
            client.commit(moved)
            committed |= moved
            emit(OffsetsMoved(group=self.group, time=shown_time(self.time or 0), offsets=_flat(offsets)))
        return {
            name: _progress(name, metadata[name], committed.get(name), client.positions.initial_offset)
            for name in names
        }

    def _go_on(self, client: ConsumerClient, name: Partition, partition: PartitionProgress) -> None:
        """Go on where there are records, and tell what is lost."""
        offset, there = partition.next_offset, client.range_of(name, timeout=_TIMEOUT)
        to = there.end if client.positions.begins_at_end else there.start
        partition.go_on_from(to)
        emit(
            OffsetsLost(
                group=self.group,
                topic=name[0],
                partition=name[1],
                offset=offset,
                start=there.start,
                end=there.end,
                to=to,
            )
        )


def _progress(
    name: Partition, metadata: OffsetMetadata, committed: Committed | None, initial_offset: int
) -> PartitionProgress:
    if committed is None:
        return PartitionProgress(*name, metadata, next_offset=initial_offset)
    return PartitionProgress(*name, metadata, next_offset=committed.offset, committed=committed.offset)


def _next(partitions: Partitions) -> dict[Partition, int]:
    return {name: partition.next_offset for name, partition in partitions.items()}


def _flat(offsets: Mapping[Partition, int]) -> tuple[tuple[str, int, int], ...]:
    return tuple((*name, offset) for name, offset in offsets.items())
