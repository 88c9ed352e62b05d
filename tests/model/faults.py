"""Faults of the code that the model runs: it must catch each of them, which shows that it can fail."""

from __future__ import annotations

from tests.mutants.fault import Fault

_PROGRESS = "consuming/progress.py"
_SCHEDULER = "consuming/scheduler.py"
_STARTING = "consuming/starting_offsets.py"
_CONSUMER = "consuming/consumer.py"
_LOST, _AGAIN, _ORDER, _STUCK = (
    "events are lost",
    "events come again without need",
    "events of a key come out of order",
    "a partition stands still",
)

FAULTS = (
    Fault(
        name="position is the highest done",
        file=_PROGRESS,
        scope="PartitionProgress.advance",
        old="not window[0].done",
        new="not any(delivery.done for delivery in window)",
        harm=_LOST,
    ),
    Fault(
        name="offsets are taken for contiguous",
        file=_PROGRESS,
        scope="PartitionProgress.advance",
        old="self.position = delivery.offset + 1",
        new="self.position = (self.position or 0) + 1",
        harm=_AGAIN,
    ),
    Fault(
        name="what waits for its commit does not count",
        file=_PROGRESS,
        scope="PartitionProgress.advance",
        old="self.passed += 1",
        new="pass",
        harm=_AGAIN,
    ),
    Fault(
        name="busy is released on a retry",
        file=_SCHEDULER,
        scope="Scheduler._drain",
        old="self._to_wait.put((self._clock() + outcome.delay, actor))\nreturn",
        new="self._to_wait.put((self._clock() + outcome.delay, actor))\nactor.busy.release()\nreturn",
        harm=_ORDER,
    ),
    Fault(
        name="actors are dropped on a release",
        file=_SCHEDULER,
        scope="Scheduler.release",
        old="self._release_waiting()",
        new="self._actors.clear(); self._release_waiting()",
        harm=_ORDER,
    ),
    Fault(
        name="no second look after the release",
        file=_SCHEDULER,
        scope="Scheduler._drain",
        old="if deliveries:\n    self._wake(actor)",
        new="pass",
        harm=_STUCK,
    ),
    Fault(
        name="dropped records are marked done",
        file=_SCHEDULER,
        scope="Scheduler._drain",
        old="delivery.dropped = True",
        new="delivery.dropped = delivery.done = True",
        harm=_LOST,
    ),
    Fault(
        name="what is lost is committed",
        file=_CONSUMER,
        scope="Consumer._lost",
        old="_, unfinished = self._hand_over(names, 0.0)",
        new="_, unfinished = self._hand_over(names, 0.0); self._client._on_commit(names[0], Committed(10**6))",
        harm=_LOST,
    ),
    Fault(
        name="what was read before a revoke is kept",
        file=_CONSUMER,
        scope="Consumer._hand_over",
        old="self._early = self._assigned_of(self._early)",
        new="pass",
        harm=_AGAIN,
    ),
    Fault(
        name="what a revoked partition brought is kept",
        file=_CONSUMER,
        scope="Consumer._read",
        old="self._assigned_of(records)",
        new="records",
        harm=_LOST,
    ),
    Fault(
        name="what was read before a move is kept",
        file=_CONSUMER,
        scope="Consumer._read",
        old="(record.topic, record.partition) not in moved",
        new="True",
        harm=_LOST,
    ),
    Fault(
        name="records are taken before it is known where to begin",
        file=_CONSUMER,
        scope="Consumer._read",
        old="if moved is None:\n    return",
        new="moved = moved or set()",
        harm=_LOST,
    ),
    Fault(
        name="a move is remembered before it is made",
        file=_STARTING,
        scope="StartingOffsets._begin",
        old="""
client.positions.move(missing | offsets)
client.commit({name: Committed(offset, metadata[name].at(offset)) for name, offset in offsets.items()})
""",
        new="""
client.commit({name: Committed(0, metadata[name].at(0)) for name in offsets})
client.positions.move(missing | offsets)
""",
        harm=_LOST,
    ),
    Fault(
        name="a move is not remembered",
        file=_STARTING,
        scope="StartingOffsets._begin",
        old="attrs.evolve(metadata[name], offset_time=self.time)",
        new="attrs.evolve(metadata[name], offset_time=None)",
        harm=_AGAIN,
    ),
    Fault(
        name="commits forget what they carried",
        file="consuming/commits.py",
        scope="_committed",
        old='partition.metadata.at(offset) if partition.metadata else ""',
        new='""',
        harm=_AGAIN,
    ),
    Fault(
        name="groups that have committed nothing are not begun",
        file=_STARTING,
        scope="StartingOffsets._begin",
        old="client.positions.move(missing | offsets)",
        new="client.positions.move(offsets)",
        harm=_LOST,
    ),
    Fault(
        name="holes are not filled",
        file=_SCHEDULER,
        scope="Scheduler.release",
        old="self._wait_while(lambda: any(map(self._has_hole_to_fill, leaving)), deadline)",
        new="pass",
        harm=_AGAIN,
    ),
)
