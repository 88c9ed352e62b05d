"""A group as Kafka keeps it, for one real consumer: offsets with gaps, and an assignment that changes."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import ClassVar

import attrs

from event_bus_kafka.errors import AssignmentLost, BrokerError
from event_bus_kafka.kafka.client import AssignmentListener, Committed, Partition
from event_bus_kafka.wire.records import ConsumerRecord

TOPIC = "t"
_KEYS = (b"a", b"b", b"c", None)


@attrs.define
class Log:
    """One partition, what the group has committed, and what the broker believes of its reader."""

    records: list[ConsumerRecord]
    committed: int = 0
    position: int = 0
    assigned: bool = False


class Places:
    """No offset is ever missing or gone."""

    adrift: ClassVar[dict[Partition, int | None]] = {}
    begins_at_end = False

    def move(self, offsets: dict[Partition, int | None]) -> None:
        assert not offsets


class ModelClient:
    """What the consumer takes for its Kafka client; the model is told of each commit and of each revoke."""

    def __init__(
        self,
        random: Random,
        logs: dict[Partition, Log],
        on_commit: Callable[[Partition, int], None],
        on_revoked: Callable[[Partition], None],
    ) -> None:
        self._random = random
        self._logs = logs
        self._on_commit = on_commit
        self._on_revoked = on_revoked
        self._paused: set[Partition] = set()
        self.listener: AssignmentListener | None = None
        self.places = Places()
        self.calm = False
        """No more changes of the assignment."""

    def poll(self, seconds: float, most: int) -> list[ConsumerRecord]:
        if self._random.random() < 0.5:
            self._change_assignment()
        batch = self._fetch(most)
        if self._random.random() < 0.3:
            self._change_assignment()  # records of a partition that has just left are handed out still
        return batch

    def committed(self, partitions: list[Partition], *, timeout: float) -> dict[Partition, Committed]:
        if self._random.random() < 0.3:
            raise BrokerError("_TIMED_OUT", "the coordinator is busy", retriable=True)
        return {name: Committed(self._logs[name].committed) for name in partitions}

    def offsets_at(self, partitions: list[Partition], time: int, *, timeout: float) -> dict[Partition, int]:
        return {}

    def commit(self, offsets: dict[Partition, Committed]) -> None:
        if any(not self._logs[name].assigned for name in offsets):
            raise AssignmentLost("UNKNOWN_MEMBER_ID", "gone")
        for name, one in offsets.items():
            self._on_commit(name, one.offset)
            self._logs[name].committed = one.offset

    def pause(self, partitions: list[Partition]) -> None:
        self._paused.update(partitions)

    def resume(self, partitions: list[Partition]) -> None:
        self._paused.difference_update(partitions)

    def close(self) -> None:
        self._revoke([name for name, log in self._logs.items() if log.assigned])

    def _fetch(self, most: int) -> list[ConsumerRecord]:
        batch: list[ConsumerRecord] = []
        for name, log in self._logs.items():
            if log.assigned and name not in self._paused:
                ahead = [record for record in log.records if record.offset >= log.position]
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


def logs_of(random: Random) -> dict[Partition, Log]:
    """Return two partitions of some records each; offsets have gaps, keys come again."""
    return {(TOPIC, number): Log(_records(random, number)) for number in range(2)}


def _records(random: Random, number: int) -> list[ConsumerRecord]:
    records, offset = [], 0
    for _ in range(random.randint(3, 14)):
        offset += random.choice((1, 1, 1, 2, 5))
        key = random.choice(_KEYS)
        records.append(
            ConsumerRecord(topic=TOPIC, partition=number, offset=offset, timestamp=None, key=key, value=b"", headers=())
        )
    return records
