"""
A model of a consumer group in Kafka with one real consumer. The offsets of its partitions have gaps, and the assignment
of partitions changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random

import attrs

from event_bus_kafka.errors import AssignmentLost, BrokerError
from event_bus_kafka.kafka.consumer import AssignmentListener
from event_bus_kafka.kafka.offsets import Committed, Partition, Range
from event_bus_kafka.wire.records import ConsumerRecord

TOPIC = "t"
_KEYS = (b"a", b"b", b"c", None)
_BEGINNING = -2


@attrs.define
class Log:
    """
    A partition. It contains the group's committed offset, and the position of the reader as the broker sees this
    position.
    """

    records: list[ConsumerRecord]
    committed: int | None
    """The committed offset; None if the group has committed none. It may be older than the run of the model."""
    at_time: int
    """
    The offset at which a consumer with an offset time starts: the offset of the first record that is not older than
    this time.
    """
    metadata: str = ""
    start: int = 0
    """The first offset that is not deleted."""
    position: int = 0
    assigned: bool = False
    is_begun: bool = False
    """Whether the consumer has committed an offset during this run. Before that, ``committed`` may be older."""

    @property
    def end(self) -> int:
        return self.records[-1].offset + 1

    def offsets(self, begin: int, end: int) -> set[int]:
        """Return the offsets of the records from ``begin`` to ``end``, excluding ``end``."""
        return {record.offset for record in self.records if begin <= record.offset < end}


class ModelPositions:
    """
    Starts partitions at given offsets. Some calls fail. In a group with an eager assignment protocol, a start also
    moves the positions of all other assigned partitions to the offsets in ``reading``, or to 0.
    """

    begins_at_end = False

    def __init__(self, logs: dict[Partition, Log], fail_at_times: Callable[[], None], *, is_eager: bool) -> None:
        self._logs = logs
        self._fail_at_times = fail_at_times
        self._is_eager = is_eager
        self.paused: set[Partition] = set()
        self.waiting: dict[Partition, int | None] = {}

    def start(self, offsets: dict[Partition, int], reading: dict[Partition, int]) -> None:
        self._fail_at_times()
        assigned = [name for name, log in self._logs.items() if log.assigned]
        others = dict.fromkeys(assigned, 0) | reading if self._is_eager else {}
        for name, offset in (others | offsets).items():
            assert name in assigned
            log = self._logs[name]
            log.position = log.start if offset == _BEGINNING else offset
        self.paused.difference_update(offsets)
        for name in offsets:
            self.waiting.pop(name, None)


class ModelClient:
    """Replaces the Kafka client of the consumer. It reports each commit and each revocation to the model."""

    def __init__(
        self,
        random: Random,
        logs: dict[Partition, Log],
        on_commit: Callable[[Partition, Committed], None],
        on_revoked: Callable[[Partition], None],
        on_moved: Callable[[Partition, int, int], None],
    ) -> None:
        self._random = random
        self._logs = logs
        self._on_commit = on_commit
        self._on_revoked = on_revoked
        self._on_moved = on_moved
        self.listener: AssignmentListener | None = None
        self.positions = ModelPositions(logs, self._fail_at_times, is_eager=random.random() < 0.5)
        self.calm = False
        """Whether all calls succeed, the logs stay unchanged, and no partition is revoked."""

    def poll(self, seconds: float, most: int) -> list[ConsumerRecord]:
        """
        Return records. A call may change the assignment. If a call revokes a partition, it may still return records of
        this partition.
        """
        if self._random.random() < 0.5:
            self._change_assignment()
        if not self.calm and self._random.random() < 0.1:
            self._change_logs()
        batch = self._fetch(most)
        for _ in range(self._random.choice((0, 0, 1, 2))):
            self._change_assignment()
        return batch

    def committed_each(
        self, partitions: list[Partition], *, timeout: float
    ) -> tuple[dict[Partition, Committed], dict[Partition, BrokerError]]:
        self._fail_at_times()
        refused = {name: BrokerError("UNSTABLE_OFFSET_COMMIT", "later") for name in partitions if self._fails()}
        found = {name: self._logs[name] for name in partitions if name not in refused}
        return {
            name: Committed(log.committed, log.metadata) for name, log in found.items() if log.committed is not None
        }, refused

    def initial_offset(self, _name: Partition, *, timeout: float) -> int:
        return _BEGINNING

    def offsets_at(self, partitions: list[Partition], time: int, *, timeout: float) -> dict[Partition, int]:
        self._fail_at_times()
        return {name: self._logs[name].at_time for name in partitions}

    def known_ends(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        return {name: self._logs[name].end for name in partitions}

    def range_of(self, name: Partition, *, timeout: float) -> Range:
        self._fail_at_times()
        return Range(self._logs[name].start, self._logs[name].end)

    def commit(self, offsets: dict[Partition, Committed]) -> None:
        for error in self.commit_each(offsets).values():
            raise error

    def commit_each(self, offsets: dict[Partition, Committed]) -> dict[Partition, BrokerError]:
        refused: dict[Partition, BrokerError] = {}
        for name, one in offsets.items():
            log = self._logs[name]
            if not log.assigned:
                refused[name] = AssignmentLost("UNKNOWN_MEMBER_ID", "gone")
            elif self._fails():
                refused[name] = BrokerError("NOT_COORDINATOR", "it has moved", retriable=True)
            else:
                self._on_commit(name, one)
                log.committed, log.metadata, log.is_begun = one.offset, one.metadata, True
        return refused

    def pause(self, partitions: list[Partition]) -> None:
        self.positions.paused.update(partitions)

    def resume(self, partitions: list[Partition]) -> None:
        self.positions.paused.difference_update(partitions)

    def close(self) -> None:
        self._revoke([name for name, log in self._logs.items() if log.assigned])

    def _fail_at_times(self) -> None:
        if self._fails():
            raise BrokerError("_TIMED_OUT", "the coordinator is busy", retriable=True)

    def _fails(self) -> bool:
        return not self.calm and self._random.random() < 0.1

    def _fetch(self, most: int) -> list[ConsumerRecord]:
        batch: list[ConsumerRecord] = []
        for name, log in self._logs.items():
            most_of_it = self._random.randint(0, min(4, most - len(batch)))
            if self.positions.waiting.get(name, 0) is None:  # from a former assignment
                batch += self._random.choices(log.records, k=self._random.choice((0, most_of_it)))
            elif log.assigned and log.position < log.start:
                self.positions.waiting[name] = log.position
            elif log.assigned and name not in self.positions.paused:
                taken = [record for record in log.records if record.offset >= log.position][:most_of_it]
                batch += taken
                log.position = taken[-1].offset + 1 if taken else log.position
        return batch

    def _change_logs(self) -> None:
        """
        Change a partition in one of two ways. Either delete the oldest records, or report a late error: an error for an
        offset that is not the position of the reader.
        """
        name, log = self._random.choice([*self._logs.items()])
        if log.assigned and self._random.random() < 0.5:
            self.positions.waiting.setdefault(name, log.position + 1_000)
        else:
            log.start = max(log.start, self._random.choice(log.records).offset)
            self._on_moved(name, 0, log.start)

    def _change_assignment(self) -> None:
        assigned = [name for name, log in self._logs.items() if log.assigned]
        free = [name for name in self._logs if name not in assigned]
        if free and (self.calm or self._random.random() < 0.7):
            self._assign(free)
        elif assigned and not self.calm:
            leaving = self._random.sample(assigned, self._random.randint(1, len(assigned)))
            (self._lose if self._random.random() < 0.3 else self._revoke)(leaving)

    def _assign(self, names: list[Partition]) -> None:
        for name in names:
            log = self._logs[name]
            if log.is_begun and not self.calm and self._random.random() < 0.2:
                self._commit_of_another(name, log)
            log.assigned = True
            self.positions.waiting[name] = None
        self.positions.paused.update(names)
        self._listener.assigned(names)

    def _commit_of_another(self, name: Partition, log: Log) -> None:
        """
        Simulate one of two events: another member has processed part of the partition, or an operator has moved the
        group's offset back.
        """
        assert log.committed is not None
        before, log.committed = log.committed, self._random.choice(log.records).offset
        self._on_moved(name, before, log.committed)

    def _revoke(self, names: list[Partition]) -> None:
        if names:
            self._listener.revoked(names)
        for name in names:
            self._on_revoked(name)
        self._forget(names)

    def _lose(self, names: list[Partition]) -> None:
        self._forget(names)
        self._listener.lost(names)

    def _forget(self, names: list[Partition]) -> None:
        for name in names:
            self._logs[name].assigned = False
            self.positions.waiting.pop(name, None)

    @property
    def _listener(self) -> AssignmentListener:
        assert self.listener is not None
        return self.listener


def logs_of(random: Random) -> dict[Partition, Log]:
    """Return two partitions with some records. Their offsets have gaps, and several records have the same key."""
    return {(TOPIC, number): _log(_records(random, number), random) for number in range(2)}


def _log(records: list[ConsumerRecord], random: Random) -> Log:
    offsets = [record.offset for record in records]
    return Log(records, random.choice([None, 0, *offsets]), at_time=random.choice([0, *offsets, offsets[-1] + 1]))


def _records(random: Random, number: int) -> list[ConsumerRecord]:
    records, offset = [], 0
    for _ in range(random.randint(3, 14)):
        offset += random.choice((1, 1, 1, 2, 5))
        key = random.choice(_KEYS)
        records.append(
            ConsumerRecord(topic=TOPIC, partition=number, offset=offset, timestamp=None, key=key, value=b"", headers=())
        )
    return records
