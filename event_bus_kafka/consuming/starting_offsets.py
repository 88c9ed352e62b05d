"""Where assigned partitions begin, and where they go on when their offsets are gone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import attrs

from event_bus_kafka.consuming.offset_metadata import OffsetMetadata
from event_bus_kafka.consuming.progress import PartitionProgress
from event_bus_kafka.errors import BrokerError, WorkerFailed
from event_bus_kafka.kafka import error_codes
from event_bus_kafka.kafka.consumer import ConsumerClient
from event_bus_kafka.kafka.offsets import Committed, Partition, Range
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import ClientErrorReported, OffsetsLost, OffsetsMoved

_TIMEOUT = 5.0
"""Seconds for one request to Kafka."""
Partitions = Mapping[Partition, PartitionProgress]


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


def shown_time(time: int) -> str:
    """Return milliseconds since the epoch as people write them, in UTC; what is no date, as it is."""
    try:
        return (datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=time)).isoformat()
    except OverflowError:  # clients set times to what they like
        return f"{time} ms"


@attrs.frozen
class StartingOffsets:
    """
    Tells the client of a group where to read. ``time``, in milliseconds since the epoch: partitions begin at the first
    record at or after it, each once for each value, which the committed offset remembers.

    What fails is tried again by the next call: Kafka may be away at any time.
    """

    group: str
    time: int | None = None

    def begin(self, client: ConsumerClient, partitions: Partitions) -> set[Partition] | None:
        """
        Find out where new partitions begin. Return those that were moved: what was read of them before is not wanted.
        None: it is not known yet, so that nothing may be taken.

        Raises :class:`WorkerFailed` where these brokers cannot tell.
        """
        new = [name for name, partition in partitions.items() if partition.metadata is None]
        if not new:
            return set()
        try:
            return self._begin(client, {name: partitions[name] for name in new})
        except BrokerError as error:
            if error.code == error_codes.UNSUPPORTED_FEATURE:
                raise WorkerFailed(error.reason, exit_code=1) from error
            _report(error)
            return None

    def go_on(self, client: ConsumerClient, partitions: Partitions) -> None:
        """Put partitions whose offset is gone where there are records again, and tell what is lost."""
        if not client.positions.without_offset:
            return
        try:
            self._go_on(client, partitions)
        except BrokerError as error:
            _report(error)

    def _go_on(self, client: ConsumerClient, partitions: Partitions) -> None:
        positions, lost = client.positions, {}
        moves: dict[Partition, int | None] = dict.fromkeys(positions.without_offset)
        for name, offset in positions.without_offset.items():
            gone = partitions[name].next_offset if offset is None else offset
            if gone is not None and not positions.is_repositioned(name):
                there = client.range_of(name, timeout=_TIMEOUT)
                moves[name] = to = there.end if positions.begins_at_end else there.start
                lost[name] = (gone, there, to)
        positions.move(moves)
        for name, (gone, there, to) in lost.items():
            partitions[name].go_on_from(to)
            self._tell(name, gone, there, to)

    def _begin(self, client: ConsumerClient, new: Partitions) -> set[Partition]:
        committed = client.committed(new, timeout=_TIMEOUT)
        metadata = {name: OffsetMetadata.read(committed[name].metadata if name in committed else "") for name in new}
        told = [name for name in new if self.time is not None and metadata[name].offset_time != self.time]
        offsets = client.offsets_at(told, self.time or 0, timeout=_TIMEOUT)
        metadata |= {name: attrs.evolve(metadata[name], offset_time=self.time) for name in told}
        # Never where the client stands: before a revoke it may have been further than anybody has committed.
        missing = dict.fromkeys((name for name in new if name not in committed), client.positions.initial_offset)
        # First moved, then committed: the mark says that nothing is to be moved any more.
        client.positions.move(missing | offsets)
        client.commit({name: Committed(offset, metadata[name].at(offset)) for name, offset in offsets.items()})
        if self.time is not None:
            client.resume(new)
        begins = {name: one.offset for name, one in committed.items()} | offsets
        for name, partition in new.items():
            partition.begin(metadata[name], begins.get(name))
        if offsets:
            emit(OffsetsMoved(group=self.group, time=shown_time(self.time or 0), offsets=_flat(offsets)))
        return {*missing, *offsets}

    def _tell(self, name: Partition, offset: int, there: Range, to: int) -> None:
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


def _flat(offsets: Mapping[Partition, int]) -> tuple[tuple[str, int, int], ...]:
    return tuple((*name, offset) for name, offset in offsets.items())


def _report(error: BrokerError) -> None:
    emit(ClientErrorReported(client="consumer", error=error, code=error.code, kind=error.kind, fatal=False))
