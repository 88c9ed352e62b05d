"""Shows a service's consumer groups and receivers, from the workers' heartbeats in the database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import attrs

from event_bus_kafka.conf.routes import short_topic
from event_bus_kafka.models import PausedReceiver
from event_bus_kafka.operations.pauses import event_types_by_receiver
from event_bus_kafka.operations.workers import WorkerRun, worker_command


@attrs.frozen(kw_only=True)
class GroupView:
    """A consumer group and its running workers."""

    group: str
    runs: Sequence[WorkerRun]
    start_command: str
    """
    The command that starts a worker of this group. If the settings contain no subscription of the group, the command
    names the topics of the group's latest worker.
    """

    @property
    def partitions(self) -> Iterator[tuple[WorkerRun, dict[str, Any]]]:
        """
        The assigned partitions, each with its worker, sorted by topic and partition. A partition is a dict with the
        fields of ``PartitionState``.
        """
        several = [(run, one) for run in self.runs for one in run.state["partitions"]]
        yield from sorted(several, key=lambda pair: (pair[1]["topic"], pair[1]["partition"]))

    @property
    def lag(self) -> int | None:
        """Number of unfinished records on all partitions with a known lag; None: no partition's lag is known."""
        known = [one["lag"] for _, one in self.partitions if one["lag"] is not None]
        return sum(known) if known else None

    @property
    def lag_age(self) -> float | None:
        """Age in seconds of the oldest record that was read but is not finished; None: there is no such record."""
        return max((one["lag_age"] for _, one in self.partitions if one["lag_age"] is not None), default=None)

    @property
    def has_full_window(self) -> bool:
        """Whether the window of a partition has been full for several seconds."""
        return any(one["full_because"] for _, one in self.partitions)

    @property
    def obstacles(self) -> list[str]:
        """The reasons why workers of the group report that they are not ready, without repetitions."""
        return list(dict.fromkeys(text for run in self.runs for text in run.state["obstacles"]))

    def pauses(self, several: Iterable[PausedReceiver]) -> list[PausedReceiver]:
        """
        Return the pauses in ``several`` that concern receivers of the running workers. If no worker runs, or if a
        worker does not report its receivers, return all pauses.
        """
        known = [run.state.get("receivers") for run in self.runs]
        if not known or None in known:
            return list(several)
        names = {name for one in known for name in one or ()}
        return [one for one in several if one.receiver in names]


@attrs.frozen(kw_only=True)
class ReceiverView:
    """A receiver of this service, or a paused receiver that no longer exists."""

    name: str
    event_types: Sequence[str]
    """Event types to which the receiver listens; empty: the receiver no longer exists."""
    pause: PausedReceiver | None
    has_worker: bool
    """
    Whether a running worker has the receiver. Also True if a running worker does not report its receivers, because it
    may have this receiver.
    """
    has_open_circuit: bool
    """Whether the receiver's circuit is open in any running worker."""
    is_slow: bool
    slow_beside: str
    """
    Another receiver that is slow and gets events of the same type; empty: there is none. It may delay this receiver,
    because the receivers of an event are called one after the other, and later events of its key wait.
    """


def groups(runs: Sequence[WorkerRun], subscribed: Iterable[str]) -> list[GroupView]:
    """Return the consumer groups of the workers in ``runs``, and the groups in ``subscribed``, sorted by name."""
    consumers = [run for run in runs if run.kind == "consumer"]
    topics = {run.group: [short_topic(one) for one in run.topics] for run in reversed(consumers)}
    topics |= {group: [] for group in subscribed}
    return [
        GroupView(
            group=name,
            runs=[run for run in consumers if run.is_alive and run.group == name],
            start_command=worker_command(name, topics[name]),
        )
        for name in sorted(topics)
    ]


def receivers(runs: Sequence[WorkerRun], pauses: Sequence[PausedReceiver]) -> list[ReceiverView]:
    """Return this service's receivers and all paused receivers, sorted by name."""
    states = [run.state for run in runs if run.kind == "consumer" and run.is_alive]
    circuits = {name for state in states for name in state["open_circuits"]}
    slow = {one["receiver"] for state in states for one in state["slow_receivers"]}
    known, paused = event_types_by_receiver(), {one.receiver: one for one in pauses}
    slow_for = {event_type: name for name in sorted(slow) for event_type in known.get(name, ())}
    return [
        ReceiverView(
            name=name,
            event_types=sorted(set(known.get(name, ()))),
            pause=paused.get(name),
            has_worker=any(state.get("receivers") is None or name in state["receivers"] for state in states),
            has_open_circuit=name in circuits,
            is_slow=name in slow,
            slow_beside=next((slow_for[one] for one in known.get(name, ()) if slow_for.get(one, name) != name), ""),
        )
        for name in sorted({*known, *paused})
    ]
