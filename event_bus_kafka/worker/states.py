"""The current state of a worker as a value, for other threads, such as metrics and heartbeats."""

from __future__ import annotations

from collections.abc import Callable, Collection
from time import time

import attrs

from event_bus_kafka.consuming.consumer import Consumer
from event_bus_kafka.consuming.progress import PartitionProgress
from event_bus_kafka.consuming.scheduler import Scheduler
from event_bus_kafka.dispatching import dispatch
from event_bus_kafka.dispatching.attempts import NOTHING_YET
from event_bus_kafka.dispatching.receiver_gate import ReceiverGate
from event_bus_kafka.errors import PausesUnknown
from event_bus_kafka.telemetry.health import Health
from event_bus_kafka.telemetry.state import ConsumerState, PartitionState, Replaying, SlowReceiver

_MOST_NAMES = 200
"""Maximum number of receivers in a heartbeat. If there are more receivers, the heartbeat lists none of them."""


@attrs.frozen(kw_only=True, eq=False)
class ConsumerStates:
    """Returns the current state of a worker when called. Never blocks; any thread may call it."""

    group: str
    topics: tuple[str, ...]
    window_records: int
    consumer: Consumer
    scheduler: Scheduler
    gate: ReceiverGate
    health: Health
    slow: Callable[[], tuple[SlowReceiver, ...]]
    refused: Callable[[], Collection[str]]
    """Returns the topics that Kafka does not let this worker read."""
    replaying: Callable[[], Replaying | None]
    clock: Callable[[], float] = time
    """Returns seconds since the epoch, to compare with the records' timestamps."""

    def __call__(self) -> ConsumerState:
        partitions = self.consumer.partitions
        waiting, held = self.scheduler.waiting_keys()
        lanes = self.scheduler.lanes
        return ConsumerState(
            group=self.group,
            topics=self.topics,
            partitions=tuple(self._partition(one) for one in partitions),
            in_flight=sum(one.unsettled for one in partitions),
            retries_waiting=waiting,
            held_keys=held,
            lanes=len(lanes),
            lanes_awake=lanes.awake,
            open_circuits=self.gate.open_circuits(),
            paused_receivers=self._paused(),
            flooded=tuple(one.name for one in partitions if one.flooded),
            slow_receivers=self.slow(),
            obstacles=self.health.reasons,
            is_alive=self.health.is_alive,
            replaying=self.replaying(),
            receivers=_receivers(),
        )

    def _partition(self, one: PartitionProgress) -> PartitionState:
        position, oldest = one.position, one.oldest
        end = None if one.topic in self.refused() else one.end  # the client hears of no new end
        if position is None:  # nothing was committed yet
            position = oldest.offset if oldest else one.next_offset if one.next_offset >= 0 else None
        record = oldest.record if oldest else None  # a lane may set it to None meanwhile
        timestamp = record.timestamp if record else None
        work = oldest.work if oldest else None
        past = work.past if work else NOTHING_YET
        return PartitionState(
            topic=one.topic,
            partition=one.number,
            committed=one.committed,
            position=position,
            end=end,
            lag=None if position is None or end is None else max(end - position, 0),  # the end may be a second old
            lag_age=None if timestamp is None else max(self.clock() - timestamp / 1000, 0.0),
            window_fill=min(one.held / self.window_records, 1.0),
            full_because=one.waits_for,
            attempts=past.attempts,
            receivers=tuple(receiver.name for receiver in past.waiting or ()),
        )

    def _paused(self) -> tuple[str, ...]:
        try:
            return self.gate.paused_receivers()
        except PausesUnknown:
            return ()


def _receivers() -> tuple[str, ...] | None:
    names = dispatch.receiver_names()
    return tuple(sorted(names)) if len(names) <= _MOST_NAMES else None
