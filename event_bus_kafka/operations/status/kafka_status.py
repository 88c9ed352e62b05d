"""Reads the status of this service's topics and consumer groups from Kafka with few requests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs

from event_bus_kafka.errors import BrokerError
from event_bus_kafka.kafka import error_codes
from event_bus_kafka.kafka.cluster.overview import Cluster, ClusterOverview, FoundOffset, GroupDescription
from event_bus_kafka.kafka.offsets import Partition
from event_bus_kafka.operations.neglects.catalogue import RETENTION_SHARE
from event_bus_kafka.operations.status.values import GroupStatus, KafkaStatus, TopicStatus, Unread

TIMEOUT = 5.0
"""Time limit of one request to Kafka, in seconds."""
_EPOCH = datetime.fromtimestamp(0, UTC)

Positions = dict[Partition, int]


@attrs.frozen(kw_only=True)
class _Log:
    """The first offset and the end offset of each partition."""

    first: Mapping[Partition, FoundOffset]
    end: Mapping[Partition, FoundOffset]

    def lag(self, partition: Partition, position: int) -> int:
        """
        Return the number of existing offsets from ``position`` to the end of the partition; 0 if the partition's
        offsets are unknown.
        """
        if partition not in self.first or partition not in self.end:
            return 0
        return max(self.end[partition].offset - max(position, self.first[partition].offset), 0)

    def lost(self, partition: Partition, position: int) -> int:
        """
        Return the number of offsets between ``position`` and the first offset that still exists; 0 if ``position``
        exists.
        """
        return max(self.first[partition].offset - position, 0) if partition in self.first else 0


def look(overview: ClusterOverview, *, topics: Iterable[str], groups: Mapping[str, frozenset[str]]) -> KafkaStatus:
    """
    Return the status of topics and groups. ``topics``: full names. ``groups``: consumer group → full names of the
    topics to which the group is known to subscribe. Raises :class:`BrokerError`.
    """
    cluster = overview.cluster(timeout=TIMEOUT)
    described = {} if cluster.is_sandbox else overview.groups(groups, timeout=TIMEOUT)
    committed = _committed(overview, cluster, groups, described)
    states = overview.group_states(timeout=TIMEOUT) if any(map(_is_unknown, described.values())) else {}
    names = {*topics, *(topic for told in committed.values() if not isinstance(told, BrokerError) for topic, _ in told)}
    there = sorted(names & cluster.partitions.keys())
    log = _log(overview, _partitions(cluster, there))
    options = overview.many_topic_options(there, timeout=TIMEOUT) if cluster.has_controller else {}
    found = {name: _topic(name, cluster, log, options.get(name)) for name in sorted(names)}
    found = _with_oldest(found, overview, cluster)
    positions = {
        group: told if isinstance(told, BrokerError) else _positions(told, cluster, log, groups[group])
        for group, told in committed.items()
    }
    ending = _ending(overview, found, log, positions.values())
    return KafkaStatus(
        cluster=cluster.id,
        brokers=cluster.brokers,
        has_controller=cluster.has_controller,
        topics=tuple(found.values()),
        groups=tuple(
            attrs.evolve(_group(name, told, log, ending), **_members(described.get(name), states.get(name)))
            for name, told in positions.items()
        ),
    )


def _committed(
    overview: ClusterOverview,
    cluster: Cluster,
    groups: Mapping[str, frozenset[str]],
    described: Mapping[str, GroupDescription | BrokerError],
) -> dict[str, Positions | BrokerError]:
    """
    Return each group's committed offsets, or the error of reading them. The sandbox cannot list a group's offsets. It
    is asked for the offsets on the partitions of the topics in ``groups`` instead.
    """
    if cluster.is_sandbox:
        asked = {group: _partitions(cluster, topics & cluster.partitions.keys()) for group, topics in groups.items()}
        told = overview.committed({group: named for group, named in asked.items() if named}, timeout=TIMEOUT)
        return dict.fromkeys(groups, Positions()) | told
    refused = {group: one for group, one in described.items() if isinstance(one, BrokerError) and not _is_unknown(one)}
    return refused | overview.committed(dict.fromkeys(described.keys() - refused.keys()), timeout=TIMEOUT)


def _log(overview: ClusterOverview, partitions: list[Partition]) -> _Log:
    return _Log(
        first=overview.first_offsets(partitions, timeout=TIMEOUT),
        end=overview.end_offsets(partitions, timeout=TIMEOUT),
    )


def _topic(name: str, cluster: Cluster, log: _Log, options: dict[str, str] | BrokerError | None) -> TopicStatus:
    partitions = _partitions(cluster, [name] if name in cluster.partitions else [])
    known = options if isinstance(options, dict) else {}
    retention = int(known.get("retention.ms", -1))
    policy = known.get("cleanup.policy", "")
    return TopicStatus(
        topic=name,
        partitions=len(partitions),
        records=sum(log.lag(one, 0) for one in partitions) if partitions else None,
        policy=policy,
        retention_seconds=retention / 1000 if retention >= 0 and "delete" in policy else None,
    )


def _with_oldest(topics: dict[str, TopicStatus], overview: ClusterOverview, cluster: Cluster) -> dict[str, TopicStatus]:
    """
    Return ``topics`` with the timestamps of their oldest records. Each partition is searched for the first offset since
    1970, because Kafka returns timestamps only for a search by time.
    """
    asked = [one.topic for one in topics.values() if one.records]
    found = overview.offsets_since(dict.fromkeys(_partitions(cluster, asked), 0), timeout=TIMEOUT)
    oldest: defaultdict[str, list[int]] = defaultdict(list)
    for (topic, _), one in found.items():
        if one.timestamp >= 0:
            oldest[topic].append(one.timestamp)
    return {
        name: attrs.evolve(one, oldest=_moment(min(oldest[name]))) if oldest[name] else one
        for name, one in topics.items()
    }


def _positions(told: Positions, cluster: Cluster, log: _Log, subscribed: frozenset[str]) -> Positions:
    """
    Return existing partition → position of a group. The position is the committed offset in ``told``. On partitions of
    ``subscribed`` topics without committed offset, it is the first offset.
    """
    fresh = _partitions(cluster, subscribed & cluster.partitions.keys())
    starts = {one: log.first[one].offset for one in fresh if one in log.first}
    return starts | {one: offset for one, offset in told.items() if one[1] in cluster.partitions.get(one[0], ())}


def _ending(
    overview: ClusterOverview,
    topics: Mapping[str, TopicStatus],
    log: _Log,
    positions: Iterable[Positions | BrokerError],
) -> dict[Partition, int]:
    """
    Return partition with unread records → offset. Records before this offset are older than :data:`RETENTION_SHARE` of
    the topic's retention. Kafka finds the offset by its timestamp; no record is read.
    """
    now = datetime.now(UTC)
    times: dict[Partition, int] = {}
    for told in positions:
        for (topic, number), position in () if isinstance(told, BrokerError) else told.items():
            retention = topics[topic].retention_seconds
            if retention is not None and log.lag((topic, number), position):
                limit = now - timedelta(seconds=retention * RETENTION_SHARE)
                times[topic, number] = max(round((limit - _EPOCH) / timedelta(milliseconds=1)), 0)
    found = overview.offsets_since(times, timeout=TIMEOUT)
    return {name: one.offset if one.offset >= 0 else log.end[name].offset for name, one in found.items()}


def _group(name: str, told: Positions | BrokerError, log: _Log, ending: Mapping[Partition, int]) -> GroupStatus:
    positions = {} if isinstance(told, BrokerError) else told
    return GroupStatus(
        group=name,
        state="",
        members=None,
        topics=len({topic for topic, _ in positions}),
        unread=tuple(_unread(positions, log, ending)),
        refusal=str(told) if isinstance(told, BrokerError) else "",
    )


def _members(described: GroupDescription | BrokerError | None, state: str | None) -> dict[str, Any]:
    """
    Return the values of a group's fields ``state`` and ``members``; empty: unknown. ``state``: the group's state in
    Kafka's list of groups, which is used if Kafka cannot describe the group.
    """
    if _is_unknown(described):
        return {"state": state or "none", "members": None if state not in (None, "empty") else 0}
    if isinstance(described, GroupDescription):
        return {"state": described.state, "members": described.members}
    return {}


def _is_unknown(described: GroupDescription | BrokerError | None) -> bool:
    """Whether Kafka does not know the group. Older brokers describe an unknown group as dead."""
    if isinstance(described, BrokerError):
        return described.code == error_codes.GROUP_ID_NOT_FOUND
    return described is not None and described.state == "dead"


def _unread(positions: Positions, log: _Log, ending: Mapping[Partition, int]) -> list[Unread]:
    by_topic: defaultdict[str, Positions] = defaultdict(dict)
    for name, position in positions.items():
        by_topic[name[0]][name] = position
    found = [
        Unread(
            topic=topic,
            lag=sum(log.lag(name, position) for name, position in own.items()),
            lost=sum(log.lost(name, position) for name, position in own.items()),
            ends_soon=any(
                max(position, log.first[name].offset) < ending.get(name, 0)
                for name, position in own.items()
                if name in log.first
            ),
        )
        for topic, own in sorted(by_topic.items())
    ]
    return [one for one in found if one.lag or one.lost]


def _partitions(cluster: Cluster, topics: Iterable[str]) -> list[Partition]:
    return [(topic, number) for topic in topics for number in cluster.partitions[topic]]


def _moment(milliseconds: int) -> datetime | None:
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:  # a producer may set any timestamp
        return None
