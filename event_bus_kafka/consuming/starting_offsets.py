"""
Finds the offsets from which to read assigned partitions, and new offsets for partitions whose next records were
deleted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

import attrs

from event_bus_kafka.consuming.offset_metadata import OffsetMetadata
from event_bus_kafka.consuming.progress import PartitionProgress
from event_bus_kafka.errors import BrokerError, WorkerFailed
from event_bus_kafka.kafka import error_codes
from event_bus_kafka.kafka.consumer import ConsumerClient
from event_bus_kafka.kafka.factory import emit_error
from event_bus_kafka.kafka.offsets import Committed, Partition
from event_bus_kafka.shown import shown_time
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import OffsetsLost, OffsetsMoved

_TIMEOUT = 5.0
"""Maximum seconds for one request to Kafka."""
_AGAIN_AFTER = 0.5
"""Seconds to wait before a partition that could not be started is tried again."""
Partitions = dict[Partition, PartitionProgress]


def milliseconds(text: str) -> int:
    """
    Convert a time in ISO 8601 with an offset from UTC to milliseconds since the epoch. Instead of the offset, the text
    may end with UTC, or an offset after UTC, as on the admin's pages: ``2026-01-31 08:00:00 UTC``, or ``UTC-03``.
    Raises ValueError with the reason.
    """
    try:
        time = datetime.fromisoformat(re.sub(r" UTC(?=[+-])", "", re.sub(" UTC$", "Z", text)))
    except (TypeError, ValueError):
        raise ValueError(f"{text!r} is no time in ISO 8601, such as 2026-01-31T08:00:00Z") from None
    if time.tzinfo is None:
        raise ValueError(f"{text!r} does not say in which time zone it is: add Z, or an offset such as +01:00")
    if (found := round(time.timestamp() * 1000)) < 0:
        raise ValueError(f"{text!r} is before 1970, when Kafka's times begin")
    return found


@attrs.define(eq=False)
class StartingOffsets:
    """
    Tells the client of a group where to begin reading. If ``time`` (milliseconds since the epoch) is given, each
    partition is read from its first record at or after this time. The metadata of the committed offset notes the time
    that was applied last. The same time is not applied again.
    """

    group: str
    time: int | None
    clock: Callable[[], float]
    window: int = 0
    """Maximum number of records per partition that a previous worker may have begun and not committed."""
    failed: Collection[Partition] = ()
    """Partitions that could not be started yet, because Kafka cannot be reached or refuses the requests."""
    _again_at: float = 0.0

    def start(self, client: ConsumerClient, partitions: Partitions) -> None:
        """
        Let the client read new partitions, and partitions whose offset no longer exists. Add the new partitions to
        ``partitions``. A partition that cannot be started does not delay the others; a later call tries again.

        Raises :class:`WorkerFailed` if the brokers cannot find offsets by time.
        """
        waiting, rest = client.positions.waiting, self.failed if self.clock() < self._again_at else ()
        if names := [name for name in waiting if name not in rest]:
            self._start(client, partitions, names)
            self._again_at = self.clock() + _AGAIN_AFTER
        self.failed = [*waiting]

    def _start(self, client: ConsumerClient, partitions: Partitions, names: list[Partition]) -> None:
        starting: Partitions = {}
        for name in filter(partitions.__contains__, names):
            with _told():
                self._go_on(client, partitions[name])
                starting[name] = partitions[name]
        if new := [name for name in names if name not in partitions]:
            with _told():
                starting |= self._new(client, new)
        if starting:
            with _told():
                client.positions.start(_next(starting), reading=_next(partitions))
                partitions |= starting
                for partition in starting.values():
                    partition.paused = False

    def _new(self, client: ConsumerClient, names: list[Partition]) -> Partitions:
        committed, refused = client.committed_each(names, timeout=_TIMEOUT)
        for error in refused.values():
            emit_error("consumer", error)
        names = [name for name in names if name not in refused]
        metadata = {name: OffsetMetadata.read(committed[name].metadata if name in committed else "") for name in names}
        told = [name for name in names if self.time is not None and metadata[name].offset_time != self.time]
        if offsets := client.offsets_at(told, self.time or 0, timeout=_TIMEOUT):
            metadata |= {name: attrs.evolve(metadata[name], offset_time=self.time) for name in offsets}
            moved = {name: Committed(offset, metadata[name].at(offset)) for name, offset in offsets.items()}
            client.commit(moved)
            committed |= moved
            emit(OffsetsMoved(group=self.group, time=shown_time(self.time or 0), offsets=_flat(offsets)))
        started = {}
        for name in names:
            with _told():
                offset = committed[name].offset if name in committed else None
                begin = client.initial_offset(name, timeout=_TIMEOUT) if offset is None else offset
                started[name] = PartitionProgress(*name, metadata[name], begin, offset, early=self.window)
        return started

    def _go_on(self, client: ConsumerClient, partition: PartitionProgress) -> None:
        """Move a partition whose offset no longer exists to an existing offset, and emit OffsetsLost."""
        name, offset = partition.name, partition.next_offset
        if client.positions.waiting[name] != offset:
            return  # an outdated error, about an earlier offset; a current one comes again
        there = client.range_of(name, timeout=_TIMEOUT)
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


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except BrokerError as error:
        if error.code == error_codes.UNSUPPORTED_FEATURE:
            raise WorkerFailed(error.reason, exit_code=1) from error
        emit_error("consumer", error)


def _next(partitions: Partitions) -> dict[Partition, int]:
    return {name: partition.next_offset for name, partition in partitions.items()}


def _flat(offsets: Mapping[Partition, int]) -> tuple[tuple[str, int, int], ...]:
    return tuple((*name, offset) for name, offset in offsets.items())
