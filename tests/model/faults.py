"""
Faults in the code that the model runs. The model must detect each fault. This proves that the checks of the model can
fail.
"""

from __future__ import annotations

import attrs

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


@attrs.frozen(kw_only=True)
class ModelFault(Fault):
    """
    A fault in the code that the model runs. ``seed`` is the first seed to try. If only few seeds reveal the fault,
    ``seed`` is one of these, because a search would take a minute.
    """

    seed: int = 0


FAULTS = (
    ModelFault(
        name="position is the highest done",
        file=_PROGRESS,
        scope="PartitionProgress.advance",
        old="not window[0].done",
        new="not any(delivery.done for delivery in window)",
        harm=_LOST,
    ),
    ModelFault(
        name="offsets are taken for contiguous",
        file=_PROGRESS,
        scope="PartitionProgress.advance",
        old="self.position = window.popleft().offset + 1",
        new="window.popleft(); self.position = (self.position or 0) + 1",
        harm=_AGAIN,
    ),
    ModelFault(
        name="what waits for its commit does not count",
        file=_PROGRESS,
        scope="PartitionProgress.advance",
        old="self.passed += 1",
        new="pass",
        harm=_AGAIN,
    ),
    ModelFault(
        name="busy is released on a retry",
        file=_SCHEDULER,
        scope="Scheduler._drain",
        old="self._to_wait.put((self._clock() + outcome.delay, actor))\nreturn",
        new="self._to_wait.put((self._clock() + outcome.delay, actor))\nactor.busy.release()\nreturn",
        harm=_ORDER,
    ),
    ModelFault(
        name="actors are dropped on a release",
        file=_SCHEDULER,
        scope="Scheduler.release",
        old="self._release_waiting()",
        new="self._actors.clear(); self._release_waiting()",
        harm=_ORDER,
    ),
    ModelFault(
        name="no second look after the release",
        file=_SCHEDULER,
        scope="Scheduler._drain",
        old="if deliveries:\n    self._wake(actor)",
        new="pass",
        harm=_STUCK,
        seed=1_397,
    ),
    ModelFault(
        name="dropped records are marked done",
        file=_SCHEDULER,
        scope="Scheduler._drain",
        old="delivery.dropped = True",
        new="delivery.dropped = delivery.done = True",
        harm=_LOST,
    ),
    ModelFault(
        name="what is lost is committed",
        file=_CONSUMER,
        scope="Consumer._lost",
        old="_, unfinished = self._hand_over(names, 0.0)",
        new="""
_, unfinished = self._hand_over(names, 0.0)
self._client._on_commit(names[0], type("Committed", (), {"offset": 10**6, "metadata": ""}))
""",
        harm=_LOST,
    ),
    ModelFault(
        name="lost partitions are kept",
        file=_CONSUMER,
        scope="Consumer._hand_over",
        old="self._partitions.pop(name)",
        new="self._partitions[name]",
        harm=_LOST,
    ),
    ModelFault(
        name="a record of an old assignment begins the new one",
        file=_CONSUMER,
        scope="Consumer._take",
        old="partition = self._partitions.get((record.topic, record.partition))",
        new="""
partition = self._partitions.setdefault(
    (record.topic, record.partition), PartitionProgress(record.topic, record.partition)
)
""",
        harm=_LOST,
    ),
    ModelFault(
        name="records are taken from the assignment on",
        file=_CONSUMER,
        scope="Consumer._assigned",
        old="self._health.end(Obstacle.NO_ASSIGNMENT)",
        new="""
self._health.end(Obstacle.NO_ASSIGNMENT)
self._partitions |= {name: PartitionProgress(*name) for name in names}
""",
        harm=_LOST,
    ),
    ModelFault(
        name="records are taken before their partition is moved",
        file=_STARTING,
        scope="StartingOffsets._start",
        old="client.positions.start(_next(starting), reading=_next(partitions))",
        new="""
partitions |= starting
client.positions.start(_next(starting), reading=_next(partitions))
""",
        harm=_LOST,
    ),
    ModelFault(
        name="partitions are moved where nothing is committed only",
        file=_STARTING,
        scope="StartingOffsets._start",
        old="client.positions.start(_next(starting), reading=_next(partitions))",
        new="""
client.positions.start({n: o for n, o in _next(starting).items() if o < 0}, reading=_next(partitions))
client.positions.waiting.clear(); client.positions.paused.clear()
""",
        harm=_AGAIN,
    ),
    ModelFault(
        name="a partition begins where its last assignment ended",
        file=_STARTING,
        scope="StartingOffsets._start",
        old="client.positions.start(_next(starting), reading=_next(partitions))",
        new="""
kept = client.__dict__.setdefault("kept", {})
kept |= _next(partitions)
client.positions.start(_next(starting) | {n: max(o, kept.get(n, o)) for n, o in _next(starting).items()}, reading=kept)
""",
        harm=_LOST,
    ),
    ModelFault(
        name="eager members forget where they read the other partitions",
        file=_STARTING,
        scope="StartingOffsets._start",
        old="client.positions.start(_next(starting), reading=_next(partitions))",
        new="client.positions.start(_next(starting), reading={})",
        harm=_AGAIN,
    ),
    ModelFault(
        name="an error that comes late is believed",
        file=_STARTING,
        scope="StartingOffsets._go_on",
        old="client.positions.waiting[name] != offset",
        new="False",
        harm=_AGAIN,
    ),
    ModelFault(
        name="a time is not moved to where it is below what is committed",
        file=_STARTING,
        scope="StartingOffsets._new",
        old="committed |= moved",
        new="committed = moved | committed",
        harm=_LOST,
    ),
    ModelFault(
        name="a move is not remembered",
        file=_STARTING,
        scope="StartingOffsets._new",
        old="attrs.evolve(metadata[name], offset_time=self.time)",
        new="attrs.evolve(metadata[name], offset_time=None)",
        harm=_AGAIN,
    ),
    ModelFault(
        name="commits forget what they carried",
        file="consuming/commits.py",
        scope="Commits.commit",
        old="Committed(offset, due[name].metadata.at(offset))",
        new="Committed(offset)",
        harm=_AGAIN,
    ),
    ModelFault(
        name="holes are not filled",
        file=_SCHEDULER,
        scope="Scheduler.release",
        old="self._wait_while(lambda: any(map(self._has_hole_to_fill, leaving)), deadline)",
        new="pass",
        harm=_AGAIN,
        seed=483,
    ),
    ModelFault(
        name="records are dropped before it is decided how far a partition drains",
        file=_PROGRESS,
        scope="PartitionProgress.may_begin",
        old="if phase is PartitionPhase.DECIDING:\n    return None",
        new="pass",
        harm=_ORDER,
        seed=546,
    ),
    ModelFault(
        name="partitions that stay are dropped with those that leave",
        file=_SCHEDULER,
        scope="Scheduler.release",
        old="for partition in leaving:\n    partition.phase = PartitionPhase.CLOSED",
        new="for partition in (*leaving, *staying):\n    partition.phase = PartitionPhase.CLOSED",
        harm=_STUCK,
    ),
    ModelFault(
        name="a partition that is refused is confirmed with the others",
        file="consuming/commits.py",
        scope="Commits.commit",
        old="name not in refused",
        new="True",
        harm=_AGAIN,
    ),
)
