"""Consumer groups and receivers of a service, by its workers' heartbeats in the database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from event_bus_kafka.models import PausedReceiver
from event_bus_kafka.operations.pauses import event_types_by_receiver
from event_bus_kafka.operations.workers import WorkerRun


@attrs.frozen(kw_only=True)
class GroupView:
    """A group, and its workers that run."""

    group: str
    runs: Sequence[WorkerRun]

    @property
    def partitions(self) -> Iterator[tuple[WorkerRun, dict[str, Any]]]:
        """The assigned partitions, as ``PartitionState`` writes them, each with its worker, by topic and number."""
        several = [(run, one) for run in self.runs for one in run.state["partitions"]]
        yield from sorted(several, key=lambda pair: (pair[1]["topic"], pair[1]["partition"]))

    @property
    def lag(self) -> int | None:
        """Records that are not done, of partitions whose lag is known; None: it is of none."""
        known = [one["lag"] for _, one in self.partitions if one["lag"] is not None]
        return sum(known) if known else None

    @property
    def lag_age(self) -> float | None:
        """Seconds since the time of the oldest record that is read and not done; None: there is none."""
        return max((one["lag_age"] for _, one in self.partitions if one["lag_age"] is not None), default=None)

    @property
    def obstacles(self) -> list[str]:
        """Why workers are not ready, each once."""
        return list(dict.fromkeys(text for run in self.runs for text in run.state["obstacles"]))


@attrs.frozen(kw_only=True)
class ReceiverView:
    """A receiver of this service, or one that no longer exists and is still paused."""

    name: str
    event_types: Sequence[str]
    """Empty: the receiver no longer exists."""
    pause: PausedReceiver | None
    has_open_circuit: bool
    """Whether its circuit is open in a running worker."""
    is_slow: bool


def groups(runs: Sequence[WorkerRun]) -> list[GroupView]:
    """Return the groups that had a heartbeat within a day, by name."""
    names = sorted({run.group for run in runs if run.kind == "consumer"})
    alive = [run for run in runs if run.kind == "consumer" and run.is_alive]
    return [GroupView(group=name, runs=[run for run in alive if run.group == name]) for name in names]


def receivers(runs: Sequence[WorkerRun], pauses: Sequence[PausedReceiver]) -> list[ReceiverView]:
    """Return the receivers, by name."""
    states = [run.state for run in runs if run.kind == "consumer" and run.is_alive]
    circuits = {name for state in states for name in state["open_circuits"]}
    slow = {one["receiver"] for state in states for one in state["slow_receivers"]}
    known, paused = event_types_by_receiver(), {one.receiver: one for one in pauses}
    return [
        ReceiverView(
            name=name,
            event_types=sorted(set(known.get(name, ()))),
            pause=paused.get(name),
            has_open_circuit=name in circuits,
            is_slow=name in slow,
        )
        for name in sorted({*known, *paused})
    ]
