"""Defines the checks of ``event_bus_status --check`` that concern the workers of consumer groups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from event_bus_kafka.operations.neglects.wording import span
from event_bus_kafka.operations.status import findings
from event_bus_kafka.operations.status.values import Finding, KafkaStatus, OwnBus
from event_bus_kafka.operations.workers import WorkerRun

_STUCK_AFTER = 300.0
"""
A partition counts as stuck if its first unfinished record is older than this number of seconds and has failed at least
:data:`_STUCK_ATTEMPTS` times. It also counts as stuck if its window has been full for several seconds.
"""
_STUCK_ATTEMPTS = 3


def stuck(runs: Iterable[WorkerRun]) -> Iterator[Finding]:
    """
    Yield a finding for each partition that is stuck, in the sense of :data:`_STUCK_AFTER`, according to the heartbeats
    of running workers.
    """
    for run in runs:
        if run.is_alive and run.kind == "consumer":
            for one in run.state.get("partitions", ()):
                if message := _why_stuck(one, run.state.get("slow_receivers", ())):
                    subject = f"{run.group} on {one['topic']}[{one['partition']}]"
                    yield findings.PARTITION_STUCK.of(subject, f"{message} Worker: {run.host}:{run.pid}.")


def missing(own: OwnBus, kafka: KafkaStatus | None, runs: Sequence[WorkerRun] | None) -> Iterator[Finding]:
    """
    Yield a finding for each of this service's groups that has neither a worker nor unread records, according to Kafka
    and the heartbeats. If a group without a worker has unread records, it is reported as a neglect instead. Groups
    whose offsets could not be read are left out.
    """
    alive = None if runs is None else {run.group for run in runs if run.is_alive}
    for one in kafka.groups if kafka else ():
        by_heartbeat = None if alive is None else one.group in alive
        has_worker = by_heartbeat if one.has_members is None else one.has_members
        if one.group in own.groups and has_worker is False and not one.lag and not one.refusal:
            yield findings.WORKER_MISSING.of(f"group {one.group}", "No worker of this group runs.")


def _why_stuck(partition: Mapping[str, Any], slow: Iterable[Mapping[str, Any]]) -> str:
    """
    Return a sentence with the record for which a partition waits, and with the receivers that have failed or hang for
    this record; empty: the partition is not stuck.
    """
    attempts, age = partition.get("attempts", 0), partition["lag_age"] or 0.0
    fails = attempts >= _STUCK_ATTEMPTS and age > _STUCK_AFTER
    place = (partition["topic"], partition["partition"], partition["position"])
    record = partition["full_because"] or (":".join(map(str, place)) if fails else "")
    if not record:
        return ""
    hung = [one["receiver"] for one in slow if (one["topic"], one["partition"], one["offset"]) == place]
    receivers = ", ".join(dict.fromkeys([*hung, *partition.get("receivers", ())]))
    return (
        f"It waits for {record}"
        + f", sent {span(age)} ago" * bool(age)
        + f", which has failed {attempts} times" * bool(attempts)
        + f"; receiver: {receivers}" * bool(receivers)
        + "."
    )
