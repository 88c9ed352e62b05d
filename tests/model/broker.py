"""A group as Kafka keeps it, for one real consumer: offsets with gaps, and an assignment that changes."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import attrs

from event_bus_kafka.errors import AssignmentLost, BrokerError
from event_bus_kafka.kafka.consumer import AssignmentListener
from event_bus_kafka.kafka.offsets import Committed, Partition
from event_bus_kafka.wire.records import ConsumerRecord

TOPIC = "t"
_KEYS = (b"a", b"b", b"c", None)


@attrs.define
class Log:
    """One partition, what the group has committed, and what the broker believes of its reader."""

    records: list[ConsumerRecord]
    committed: int | None = 0
    """None: the group has committed none."""
    metadata: str = ""
    position: int | None = 0
    """None: nothing is read until it is moved."""
    assigned: bool = False


class ModelPlaces:
    """Moves where partitions are read, or fails to."""

    begins_at_end = False

    def __init__(self, logs: dict[Partition, Log], fail_at_times: Callable[[], None]) -> None:
        self._logs = logs
        self._fail_at_times = fail_at_times
        self.without_offset: dict[Partition, int | None] = {}

    initial_offset = 0

    def move(self, offsets: dict[Partition, int | None]) -> None:
        if offsets:
            self._fail_at_times()
        for name, offset in offsets.items():
            assert self._logs[name].assigned
            self._logs[name].position = offset or 0


class ModelClient:
    """What the consumer takes for its Kafka client; the model is told of each commit and of each revoke."""

    def __init__(
        self,
        random: Random,
        logs: dict[Partition, Log],
        on_commit: Callable[[Partition, Committed], None],
        on_revoked: Callable[[Partition], None],
    ) -> None:
        self._random = random
        self._logs = logs
        self._on_commit = on_commit
        self._on_revoked = on_revoked
        self._paused: set[Partition] = set()
        self.listener: AssignmentListener | None = None
        self.positions = ModelPlaces(logs, self._fail_at_times)
        self.calm = False
        """No more changes of the assignment, and no failures."""

    def poll(self, seconds: float, most: int) -> list[ConsumerRecord]:
        if self._random.random() < 0.5:
            self._change_assignment()
        batch = self._fetch(most)
        if self._random.random() < 0.3:
            self._change_assignment()  # records of a partition that has just left are handed out still
        return batch

    def committed(self, partitions: list[Partition], *, timeout: float) -> dict[Partition, Committed]:
        self._fail_at_times()
        found = {name: self._logs[name] for name in partitions}
        return {
            name: Committed(log.committed, log.metadata) for name, log in found.items() if log.committed is not None
        }

    def offsets_at(self, partitions: list[Partition], time: int, *, timeout: float) -> dict[Partition, int]:
        """All records are later."""
        self._fail_at_times()
        return dict.fromkeys(partitions, 0)

    def commit(self, offsets: dict[Partition, Committed]) -> None:
        if offsets:
            self._fail_at_times()
        if any(not self._logs[name].assigned for name in offsets):
            raise AssignmentLost("UNKNOWN_MEMBER_ID", "gone")
        for name, one in offsets.items():
            self._on_commit(name, one)
            self._logs[name].committed, self._logs[name].metadata = one.offset, one.metadata

    def pause(self, partitions: list[Partition]) -> None:
        self._paused.update(partitions)

    def resume(self, partitions: list[Partition]) -> None:
        self._paused.difference_update(partitions)

    def close(self) -> None:
        self._revoke([name for name, log in self._logs.items() if log.assigned])

    def _fail_at_times(self) -> None:
        if not self.calm and self._random.random() < 0.1:
            raise BrokerError("_TIMED_OUT", "the coordinator is busy", retriable=True)

    def _fetch(self, most: int) -> list[ConsumerRecord]:
        batch: list[ConsumerRecord] = []
        for name, log in self._logs.items():
            if log.assigned and name not in self._paused and (position := log.position) is not None:
                ahead = [record for record in log.records if record.offset >= position]
                taken = ahead[: self._random.randint(0, min(4, most - len(batch)))]
                batch += taken
                if taken:
                    log.position = taken[-1].offset + 1
        return batch

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
            self._logs[name].assigned = True
            self._logs[name].position = self._logs[name].committed
        self._paused.difference_update(names)
        self._listener.assigned(names)

    def _revoke(self, names: list[Partition]) -> None:
        if names:
            self._listener.revoked(names)
        for name in names:
            self._on_revoked(name)
            self._logs[name].assigned = False

    def _lose(self, names: list[Partition]) -> None:
        for name in names:
            self._logs[name].assigned = False
        self._listener.lost(names)

    @property
    def _listener(self) -> AssignmentListener:
        assert self.listener is not None
        return self.listener


def logs_of(random: Random, *, moved: bool) -> dict[Partition, Log]:
    """
    Return two partitions of some records each; offsets have gaps, keys come again. The group has committed nothing, or,
    where it is to be ``moved`` to the first record, anything.
    """
    return {(TOPIC, number): _log(_records(random, number), random, moved) for number in range(2)}


def _log(records: list[ConsumerRecord], random: Random, moved: bool) -> Log:
    return Log(records, random.choice([None, 0, *([record.offset for record in records] if moved else [])]))


def _records(random: Random, number: int) -> list[ConsumerRecord]:
    records, offset = [], 0
    for _ in range(random.randint(3, 14)):
        offset += random.choice((1, 1, 1, 2, 5))
        key = random.choice(_KEYS)
        records.append(
            ConsumerRecord(topic=TOPIC, partition=number, offset=offset, timestamp=None, key=key, value=b"", headers=())
        )
    return records
