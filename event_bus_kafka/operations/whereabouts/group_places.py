"""Adds the progress of consumer groups to each record that a search has found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs

from event_bus_kafka.consuming.offset_metadata import OffsetMetadata
from event_bus_kafka.errors import BrokerError
from event_bus_kafka.kafka.cluster.groups import Groups, Offsets
from event_bus_kafka.kafka.offsets import Committed, Partition
from event_bus_kafka.kafka.scanner import Scanner
from event_bus_kafka.operations.whereabouts.answer import GroupPlace, KafkaPlace, Reached
from event_bus_kafka.operations.whereabouts.gathered import BrokerFindings


def add_groups(
    scanner: Scanner, groups: Groups, subscriptions: Mapping[str, frozenset[str]], findings: BrokerFindings
) -> None:
    """
    Add to each record of ``findings`` the progress of the groups that have committed an offset for its partition, or
    that subscribe to its topic according to ``subscriptions`` (group → topics). Records on topics of dead letters stay
    as they are. Groups whose offsets cannot be read are noted in ``findings``. Raises :class:`BrokerError`.
    """
    partitions = {(one.topic, one.partition) for one in findings.records if not one.is_dead_letter}
    if not partitions:
        return
    names = set(subscriptions)
    try:
        names.update(groups.states(timeout=scanner.timeout))
    except BrokerError as error:
        findings.not_seen("consumer groups that the settings of this service do not name", error)
    described = groups.described(names, timeout=scanner.timeout)
    told = groups.committed(dict.fromkeys(names, partitions), described, timeout=scanner.timeout)
    for group, one in told.items():
        if isinstance(one, BrokerError):
            findings.not_seen(f"group {group}", one)
    positions = {group: one for group, one in told.items() if not isinstance(one, BrokerError)}
    ends = {name: scanner.range_of(name, timeout=scanner.timeout).end for name in partitions}
    findings.records = [
        attrs.evolve(one, groups=tuple(_places(one, positions, subscriptions, ends))) if not one.is_dead_letter else one
        for one in findings.records
    ]


def _places(
    record: KafkaPlace,
    positions: Mapping[str, Offsets],
    subscriptions: Mapping[str, frozenset[str]],
    ends: Mapping[Partition, int],
) -> Iterator[GroupPlace]:
    name = record.topic, record.partition
    subscribed = {group for group, topics in subscriptions.items() if record.topic in topics}
    for group, offsets in sorted(positions.items()):
        if (committed := offsets.get(name)) is not None:
            yield _place(group, committed, record.offset, ends[name])
        elif group in subscribed:
            yield GroupPlace(group=group, reached=Reached.NOTHING, committed=None, before=0, lag=ends[name])


def _place(group: str, committed: Committed, offset: int, end: int) -> GroupPlace:
    return GroupPlace(
        group=group,
        reached=_reached(committed, offset),
        committed=committed.offset,
        before=max(offset - committed.offset, 0),
        lag=max(end - committed.offset, 0),
    )


def _reached(committed: Committed, offset: int) -> Reached:
    if committed.offset > offset:
        return Reached.BEYOND
    return Reached.TAKEN if offset in OffsetMetadata.read(committed.metadata).taken else Reached.BEHIND
