"""
The consumer polls, submits records to the scheduler, and commits the offsets of finished records. It never calls a
receiver.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from math import inf
from time import monotonic, sleep

from event_bus_kafka.consuming.backpressure import Backpressure
from event_bus_kafka.consuming.commits import Commits
from event_bus_kafka.consuming.error_limit import ErrorLimit
from event_bus_kafka.consuming.limits import Limits
from event_bus_kafka.consuming.progress import NoReplays, PartitionProgress, Replays
from event_bus_kafka.consuming.reporting import skipped
from event_bus_kafka.consuming.scheduler import Scheduler
from event_bus_kafka.consuming.starting_offsets import StartingOffsets
from event_bus_kafka.errors import BrokerError, WorkerFailed
from event_bus_kafka.kafka.consumer import AssignmentListener, ConsumerClient
from event_bus_kafka.kafka.offsets import Partition
from event_bus_kafka.telemetry import emit, flush_observers, observe, unobserve
from event_bus_kafka.telemetry.events import (
    EmittedEventsLost,
    EventUndelivered,
    LifecycleEvent,
    PartitionsAssigned,
    PartitionsRevoked,
)
from event_bus_kafka.telemetry.health import Health, Obstacle
from event_bus_kafka.trouble import Trouble
from event_bus_kafka.wire.records import ConsumerRecord

_SERVE_EVERY = 1.0
"""Seconds between two polls while no record may be read. Without polls the group would exclude the consumer."""
_BUSY_POLL = 0.05
"""
Maximum number of seconds of one poll while receivers run. It is small, because only the polling thread moves positions
past finished records.
"""
_LOOK_AT_ENDS_EVERY = 1.0
"""Seconds between two updates of the partitions' end offsets."""
_NEW_CLIENTS = 3
"""
If this number of new clients in a row fail before reading a record, the worker ends. Failures because of a missing
right do not count.
"""
_LAST_FLUSH = 1.0
"""
Minimum time limit in seconds for flushing the events that receivers emitted. It applies even if receivers have used up
the time to stop.
"""


class Consumer:
    """
    One member of a consumer group. Its owner calls :meth:`step` in a loop, and :meth:`stop` at the end.

    The thread that calls these methods is the polling thread: no other thread uses the client or changes windows and
    positions. The consumer never commits an offset above an unfinished record.

    ``flush(seconds)`` waits at most ``seconds`` until the events that receivers emitted are stored. The consumer learns
    of a lost event by the lifecycle event EventUndelivered. After a loss the consumer commits nothing, and the next
    step ends the worker. So Kafka redelivers the record whose receiver emitted the lost event, unless the record's
    offset was already committed.
    """

    def __init__(
        self,
        *,
        group: str,
        connect: Callable[[AssignmentListener], ConsumerClient],
        scheduler: Scheduler,
        error_limit: ErrorLimit,
        limits: Limits,
        health: Health,
        offset_time: int | None = None,
        replays: Replays | None = None,
        flush: Callable[[float], None] = lambda _: None,
        clock: Callable[[], float] = monotonic,
        pause: Callable[[float], None] = sleep,
    ) -> None:
        self._group = group
        self._connect = connect
        self._scheduler = scheduler
        self._error_limit = error_limit
        self._limits = limits
        self._health = health
        self._starting_offsets = StartingOffsets(group, offset_time, clock, limits.window_records)
        self._replays = replays or NoReplays()
        self._replays_in = inf
        self._flush = flush
        self._backpressure = Backpressure(group, limits.window_records, limits.window_bytes, clock, health)
        self._clock = clock
        self._pause = pause
        self._listener = AssignmentListener(assigned=self._assigned, revoked=self._revoked, lost=self._lost)
        self._partitions: dict[Partition, PartitionProgress] = {}
        self._client = connect(self._listener)
        self._last_poll = self._last_commit = self._last_look = clock()
        self._commits = Commits(group, clock, pause)
        self._fruitless_clients = 0
        self._stopping = False
        self._lost_events: list[LifecycleEvent] = []
        self._note_lost = self._lost_events.append
        observe(self._note_lost, EventUndelivered)

    def step(self) -> None:
        """
        Read records, wake due retries, and commit.

        Usually blocks at most for the poll time-out. Blocks longer if Kafka does not answer a request, if the client is
        replaced, or if partitions are revoked while their receivers run. Raises :class:`WorkerFailed` if the worker has
        to end.
        """
        self._health.beat()
        self._read()
        self._scheduler.tick()
        self._replays_in = self._replays.submit(is_busy=self._is_busy())
        self._advance()
        flush_observers()  # before the offsets of finished records are committed
        self._end_if_events_are_lost()
        if self._is_commit_due() and (failure := self._commit()):
            self._replace_client(failure)
        self._relieve()
        self._look_at_ends()
        self._end_if_hopeless()

    def stop(self, *, timeout: float) -> int:
        """
        Let running receivers finish for at most ``timeout`` seconds, commit and leave the group.

        Return a sum of three numbers: the receivers that are still running, the partitions whose last commit was
        refused, and the lost events that receivers emitted. If any event is lost, commit nothing, so that Kafka
        redelivers the record whose receiver emitted the event. Raises :class:`WorkerFailed` after a fatal error that a
        new client cannot cure, for example if another member has the same ``group.instance.id``.
        """
        try:
            deadline = self._clock() + timeout
            replayed = self._replays.end()
            unfinished = self._scheduler.release(self._partitions.values(), timeout=timeout, names=replayed)
            self._stopping = True
            self._scheduler.stop()
            self._keep_emitted(max(deadline - self._clock(), _LAST_FLUSH))
            self._advance()
            if failure := self._commit():
                self._end_if_incurable(failure)
        finally:
            flush_observers()
            unobserve(self._note_lost)
            self._client.close()  # revokes the partitions, and commits positions that are still due
        return unfinished + len(self._commits.refused) + len(self._lost_events)

    @property
    def partitions(self) -> tuple[PartitionProgress, ...]:
        """The partitions that the worker reads. Any thread may read this property."""
        return tuple(self._partitions.values())

    def hurry(self, timeout: float) -> None:
        """End each wait for receivers, in :meth:`stop` or at a revocation, at most ``timeout`` seconds from now."""
        self._scheduler.hurry(timeout)

    def _keep_emitted(self, seconds: float) -> None:
        """
        Flush the events that receivers emitted. If any event is lost, forget all partitions, so that nothing is
        committed.
        """
        partitions, self._partitions = self._partitions, {}
        self._flush(seconds)
        if self._lost_events:
            emit(EmittedEventsLost(group=self._group, count=len(self._lost_events), partitions=tuple(partitions)))
        else:
            self._partitions = partitions

    def _read(self) -> None:
        seconds = self._may_wait()
        if seconds is None:
            self._pause(0.005)
            return
        self._last_poll = self._clock()
        try:
            records = self._client.poll(seconds, self._backpressure.room(self._partitions.values()))
        except BrokerError as error:
            self._replace_client(error)
            return
        for record in records:
            self._take(record)
        if records:
            self._fruitless_clients = 0
        self._starting_offsets.start(self._client, self._partitions)
        self._health.replace(Obstacle.START, (f"{topic}[{number}]" for topic, number in self._starting_offsets.failed))

    def _take(self, record: ConsumerRecord) -> None:
        partition = self._partitions.get((record.topic, record.partition))
        if partition is None:  # its assignment has ended, or has not started yet: Kafka delivers the record again
            return
        delivery = partition.take(record)
        if record.offset in partition.metadata.taken:
            delivery.finish()
            skipped(record, "quarantined")
        else:
            self._scheduler.submit(delivery)

    def _may_wait(self) -> float | None:
        """
        Return how many seconds the next poll may block. Return None if the thread must not poll now, because a window
        is full or too many keys wait for a lane.
        """
        if self._scheduler.has_plenty or self._backpressure.are_full(self._partitions.values()):
            return 0.0 if self._clock() - self._last_poll >= _SERVE_EVERY else None
        most = min(self._limits.poll_timeout, _BUSY_POLL) if self._is_busy() else self._limits.poll_timeout
        return self._scheduler.seconds_to_next(min(most, self._replays_in))

    def _is_busy(self) -> bool:
        return any(partition.unsettled for partition in self._partitions.values())

    def _relieve(self) -> None:
        partitions = self._partitions.values()
        self._backpressure.relieve(self._client, partitions)
        self._health.replace(Obstacle.FLOOD, (f"{one.topic}[{one.number}]" for one in partitions if one.flooded))

    def _look_at_ends(self) -> None:
        """Store the partitions' end offsets that the client knows, because the worker's lag is computed from them."""
        if self._clock() - self._last_look < _LOOK_AT_ENDS_EVERY:
            return
        self._last_look = self._clock()
        for name, end in self._client.known_ends(self._partitions).items():
            self._partitions[name].end = end

    def _advance(self) -> None:
        for partition in self._partitions.values():
            partition.advance()

    def _is_commit_due(self) -> bool:
        if self._clock() - self._last_commit >= self._limits.commit_interval:
            return True
        taken = [one for name, one in self._partitions.items() if name not in self._commits.refused]
        return self._backpressure.need_commit(taken)  # refused partitions wait for the interval

    def _commit(self) -> BrokerError | None:
        """Commit all due positions. Return an error that is fatal for the client; None: there was no such error."""
        self._last_commit = self._clock()
        refused = self._commits.commit(self._client, self._partitions.values())
        return next((self._client.cause_of(error) for error in refused.values() if error.fatal), None)

    def _assigned(self, names: list[Partition]) -> None:
        self._health.end(Obstacle.NO_ASSIGNMENT)
        emit(PartitionsAssigned(group=self._group, partitions=tuple(names)))

    def _revoked(self, names: list[Partition]) -> None:
        leaving, unfinished = self._hand_over(names, 0.0 if self._stopping else self._limits.revoke_timeout)
        if not self._lost_events:
            self._commits.commit_last(self._client, leaving)
        emit(PartitionsRevoked(group=self._group, partitions=tuple(names), lost=False, unfinished=unfinished))

    def _lost(self, names: list[Partition]) -> None:
        _, unfinished = self._hand_over(names, 0.0)
        emit(PartitionsRevoked(group=self._group, partitions=tuple(names), lost=True, unfinished=unfinished))

    def _hand_over(self, names: list[Partition], timeout: float) -> tuple[list[PartitionProgress], int]:
        leaving = [self._partitions.pop(name) for name in names if name in self._partitions]
        unfinished = self._scheduler.release(leaving, timeout=timeout, staying=self._partitions.values(), names=names)
        self._health.replace(Obstacle.OUTAGE, ())  # dropped records would not end theirs; others report theirs again
        for partition in leaving:
            partition.advance()
        return leaving, unfinished

    def _replace_client(self, error: BrokerError) -> None:
        """Replace the client because of its fatal ``error``. The new client reads uncommitted records again."""
        self._end_if_incurable(error)
        if self._partitions:
            self._lost(list(self._partitions))
        self._health.begin(Obstacle.NO_ASSIGNMENT)
        self._client.close()
        self._pause(self._limits.failure_sleep)
        self._client = self._connect(self._listener)

    def _end_if_incurable(self, error: BrokerError) -> None:
        if error.kind is Trouble.REPLACED:  # a new client would shut out the other worker, and vice versa
            reason = f"Another member of group {self._group} has this worker's group.instance.id: it must be unique"
            raise WorkerFailed(reason, exit_code=3) from error
        if error.kind is not Trouble.FORBIDDEN:  # wait without limit for the right
            self._fruitless_clients += 1
        if self._fruitless_clients > _NEW_CLIENTS:
            raise WorkerFailed(f"{_NEW_CLIENTS} new Kafka clients failed, too: {error}", exit_code=3) from error

    def _end_if_events_are_lost(self) -> None:
        if self._lost_events:
            raise WorkerFailed("An event that a receiver emitted is neither in Kafka nor in the outbox", exit_code=2)

    def _end_if_hopeless(self) -> None:
        failure = self._scheduler.failure
        if failure is not None:
            who = "This package" if isinstance(failure, Exception) else "A receiver"
            where = "".join(traceback.format_tb(failure.__traceback__)[-1:]).strip()
            at = f"at record {self._scheduler.failed_at}, in {where}"
            raise WorkerFailed(f"{who} raised {type(failure).__name__} {at}", exit_code=3)
        if self._error_limit.failure is not None:
            raise self._error_limit.failure
