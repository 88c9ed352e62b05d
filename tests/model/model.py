"""
Runs the real consumer, scheduler and progress with the model of a group, and checks that each promise of the package is
fulfilled.
"""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Callable
from random import Random
from types import ModuleType
from typing import Any

from event_bus_kafka.consuming.offset_metadata import OffsetMetadata
from event_bus_kafka.dispatching.outcomes import DONE, Hold, Outcome, Retry
from event_bus_kafka.kafka.offsets import Committed, Partition
from event_bus_kafka.telemetry.health import Health
from tests.model.broker import Log, ModelClient, logs_of
from tests.model.interleaving import Interleaving, TurnQueue

_LANES = 3
_STEPS = 40
_BEYOND = 5
"""
The maximal number of records that a worker may read beyond its window. A worker must continue to poll, because it would
otherwise lose its membership. When a window has no more room, each poll returns one more record until the partition is
paused.
"""
_Code = dict[str, ModuleType]


class Broken(AssertionError):
    """The exception that is raised if the code has broken a promise."""


class Model:
    """
    A consumer with three lanes. At first the consumer runs for some steps while its assignment changes. Afterwards it
    runs until all offsets are committed.
    """

    def __init__(self, code: _Code, seed: int) -> None:
        random = self._random = Random(seed)
        files = {
            inspect.getfile(code[name]) for name in ("progress", "scheduler", "starting_offsets", "commits", "consumer")
        } | {__file__}
        self._interleaving = Interleaving(random, files, switch=random.choice((0.05, 0.3, 0.6)))
        self._now = 0.0
        self._failing = random.choice((0.0, 0.1, 0.4))
        self._time = random.choice((None, None, 1))
        self._logs = logs_of(random)
        self._client = ModelClient(random, self._logs, self._check_commit, self._check_revoke, self._note_move)
        self._completed = {name: log.offsets(0, self._begin_of(log)) for name, log in self._logs.items()}
        """Offsets of the records that are processed, and of the records that need not be processed."""
        self._done_in: dict[Any, list[int]] = defaultdict(list)
        self._handed_over: list[tuple[Any, int]] = []
        self._revoke_timeout = random.choice((0.02, 1000.0))
        self._running: set[tuple[Partition, bytes | None]] = set()
        self._last: dict[tuple[Any, bytes | None], int] = {}
        self._scheduler = code["scheduler"].Scheduler(
            self._process, lanes=_LANES, clock=self._clock, cpu=lambda: self._now / 2, pause=self._pause
        )
        self._scheduler._ready = TurnQueue(self._interleaving)
        self._consumer = code["consumer"].Consumer(
            group="g",
            connect=self._connect,
            scheduler=self._scheduler,
            error_limit=code["consumer"].ErrorLimit(),
            limits=self._limits(code),
            health=Health(),
            offset_time=self._time,
            clock=self._clock,
            pause=self._pause,
        )

    def _begin_of(self, log: Log) -> int:
        return (log.committed or 0) if self._time is None else log.at_time

    def _note_move(self, name: Partition, before: int, to: int) -> None:
        """
        Handle a change of the group's offset that this consumer did not make. Either another member processed the
        records before ``to``, or the records from ``to`` on must be processed again.
        """
        log, done = self._logs[name], self._completed[name]
        done |= log.offsets(before, to)
        done -= log.offsets(max(to, log.start), before)

    def run(self) -> None:
        """Run the model. Raises :class:`Broken` if the code breaks a promise."""
        lanes = [lambda lane=lane: self._run_lane(lane) for lane in self._scheduler.lanes]
        self._interleaving.run(self._poll, *lanes)

    def _poll(self) -> None:
        for _ in range(_STEPS):
            self._step()
        self._client.calm, self._failing = True, 0.0
        if self._random.random() < 0.5:
            self._step_until("nothing waits for a retry", self._nothing_waits)
            self._hand_over_all()
        self._step_until("everything is committed", self._is_all_committed)
        self._consumer.stop(timeout=1000.0)
        self._check_that_nothing_came_twice()

    def _step_until(self, goal: str, is_reached: Callable[[], bool]) -> None:
        for _ in range(600):
            if is_reached():
                return
            self._step()
        raise Broken(f"never: {goal}")

    def _hand_over_all(self) -> None:
        partitions = dict(self._consumer._partitions)
        self._client.close()
        self._handed_over = [(partition, self._logs[name].committed or 0) for name, partition in partitions.items()]

    def _check_that_nothing_came_twice(self) -> None:
        for partition, committed in self._handed_over:
            again = [offset for offset in self._done_in[partition] if offset >= committed]
            if again and self._revoke_timeout > 1:
                raise Broken(f"{partition.number}: {again} were done, but handed over at {committed}")

    def _nothing_waits(self) -> bool:
        return not self._scheduler._waiting and self._scheduler._to_wait.empty()

    def _is_all_committed(self) -> bool:
        return all((log.committed or 0) >= log.end for log in self._logs.values())

    def _step(self) -> None:
        self._now += 0.01
        self._consumer.step()
        for name, partition in self._consumer._partitions.items():
            if partition.committed != self._logs[name].committed:
                raise Broken(f"{name}: {partition.committed} is taken for committed, not {self._logs[name].committed}")
        self._interleaving.give_way()

    def _run_lane(self, lane: Any) -> None:
        while self._scheduler._turn(lane):
            pass
        if self._scheduler.failure is not None:
            raise self._scheduler.failure

    def _process(self, delivery: Any) -> Outcome:
        record = delivery.record
        name = (record.topic, record.partition)
        self._begin(name, delivery)
        for _ in range(self._random.randint(0, 3)):
            self._now += 0.001
        self._running.discard((name, record.key))
        if self._random.random() < self._failing:
            kind = self._random.choice((Retry, Hold))
            return kind(ValueError(), self._random.choice((0.001, 0.05, 3.0)))
        self._completed[name].add(record.offset)
        self._done_in[delivery.partition].append(record.offset)
        self._check_window(name, delivery.partition)
        return DONE

    def _begin(self, name: Partition, delivery: Any) -> None:
        record = delivery.record
        if (name, record.key) in self._running:
            raise Broken(f"{record.coordinates} begins while another record of its key runs")
        self._running.add((name, record.key))
        assignment = (delivery.partition, record.key)
        if self._last.get(assignment, -1) > record.offset:
            raise Broken(f"{record.coordinates} begins after a later record of its key")
        self._last[assignment] = record.offset
        earlier = {
            one.offset for one in self._logs[name].records if one.key == record.key and one.offset < record.offset
        }
        if missing := earlier - self._completed[name]:
            raise Broken(f"{record.coordinates} begins before {missing} of its key are settled")

    def _check_window(self, name: Partition, partition: Any) -> None:
        again = [offset for offset in self._done_in[partition] if offset >= (self._logs[name].committed or 0)]
        if len(again) > self._window + _BEYOND:
            raise Broken(f"{name}: {len(again)} were done and not committed, beyond a window of {self._window}")

    def _check_commit(self, name: Partition, committed: Committed) -> None:
        log = self._logs[name]
        if missing := log.offsets(0, committed.offset) - self._completed[name]:
            raise Broken(f"{name}: committed {committed.offset} beyond unsettled {sorted(missing)}")
        if OffsetMetadata.read(committed.metadata).offset_time != self._time:
            raise Broken(f"{name}: the time that it began at is forgotten")
        if log.is_begun and committed.offset < (log.committed or 0):
            raise Broken(f"{name}: moved back from {log.committed} to {committed.offset}")

    def _check_revoke(self, name: Partition) -> None:
        running = [key for partition, key in list(self._running) if partition == name]
        if running and self._revoke_timeout > 1:
            raise Broken(f"{name}: keys {running} run still, after a revoke that had time to wait")

    def _connect(self, listener: Any) -> Any:
        self._client.listener = listener
        return self._client

    def _clock(self) -> float:
        return self._now

    def _pause(self, seconds: float) -> None:
        self._now += seconds
        self._interleaving.give_way()

    def _limits(self, code: _Code) -> Any:
        self._window = self._random.choice((2, 100))
        return code["consumer"].Limits(
            window_records=self._window,
            window_bytes=10**6,
            commit_interval=self._random.choice((0.02, 1.0)),
            poll_timeout=0.1,
            failure_sleep=0.1,
            revoke_timeout=self._revoke_timeout,
        )
