"""Reads the status of this service's topics and consumer groups from Kafka with few requests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs

from event_bus_kafka.errors import BrokerError
from event_bus_kafka.kafka import error_codes
from event_bus_kafka.kafka.cluster.groups import Described, GroupDescription
from event_bus_kafka.kafka.cluster.overview import Cluster, ClusterOverview, FoundOffset
from event_bus_kafka.kafka.offsets import Partition
from event_bus_kafka.operations.neglects.catalogue import RETENTION_SHARE
from event_bus_kafka.operations.status.values import GroupStatus, KafkaStatus, TopicStatus, Unread

TIMEOUT = 5.0
"""Time limit of one request to Kafka, in seconds."""
_EPOCH = datetime.fromtimestamp(0, UTC)

_BESIDE_EACH_OTHER = 4
"""Number of requests that are sent at the same time. Each request spends most of its time waiting for the brokers."""

Positions = dict[Partition, int]
Options = Mapping[str, dict[str, str] | BrokerError]
"""Topic → options of the topic, or the error if the options cannot be read."""


@attrs.frozen(kw_only=True)
class _Log:
    """The first offset and the end offset of each partition."""

    partitions: list[Partition]
    first: Mapping[Partition, FoundOffset]
    end: Mapping[Partition, FoundOffset]

    @property
    def silent(self) -> list[Partition]:
        """The partitions whose broker did not answer."""
        return [one for one in self.partitions if not self.knows([one])]

    def knows(self, partitions: Iterable[Partition]) -> bool:
        return all(one in self.first and one in self.end for one in partitions)

    def lag(self, partition: Partition, position: int) -> int:
        """
        Return the number of existing offsets from ``position`` to the end of the partition; 0 if the partition's broker
        did not answer.
        """
        if partition not in self.first or partition not in self.end:
            return 0
        return max(self.end[partition].offset - max(position, self.first[partition].offset), 0)

    def lost(self, partition: Partition, position: int) -> int:
        """Return the number of deleted offsets from ``position`` on; 0 if the partition's broker did not answer."""
        return max(self.first[partition].offset - position, 0) if partition in self.first else 0


def look(
    overview: ClusterOverview, *, topics: Iterable[str], groups: Mapping[str, frozenset[str]]
) -> tuple[KafkaStatus, Described]:
    """
    Return the status, and the coordinators' descriptions of the groups. Groups, offsets and options are requested at
    the same time.

    ``topics``: full names. ``groups``: consumer group → full names of the topics to which the group is known to
    subscribe. Raises :class:`BrokerError`.
    """
    cluster = overview.cluster(timeout=TIMEOUT)
    names = {*topics}.union(*groups.values())
    with ThreadPoolExecutor(_BESIDE_EACH_OTHER) as pool:
        coming = pool.submit(_ask_groups, overview, cluster, groups)
        read = _ask_topics(pool, overview, cluster, names)
        asked = coming.result()
        more = {topic for told in asked.committed.values() if isinstance(told, dict) for topic, _ in told} - names
        log, options = _joined(read(), _ask_topics(pool, overview, cluster, more)())
        found = {name: _topic(name, cluster, log, options.get(name)) for name in sorted(names | more)}
        positions = {
            group: told if isinstance(told, BrokerError) else _positions(told, cluster, log, groups[group])
            for group, told in asked.committed.items()
        }
        oldest = pool.submit(_oldest, found.values(), overview, cluster)
        ending = _ending(overview, found, log, positions.values())
        found = {name: attrs.evolve(one, oldest=oldest.result().get(name)) for name, one in found.items()}
    status = KafkaStatus(
        cluster=cluster.id,
        brokers=cluster.brokers,
        has_controller=cluster.has_controller,
        is_sandbox=cluster.is_sandbox,
        topics=tuple(found.values()),
        groups=tuple(
            attrs.evolve(_group(name, told, log, ending), **_members(asked.described.get(name), name, asked.states))
            for name, told in positions.items()
        ),
        silent=tuple(f"{topic}:{number}" for topic, number in log.silent),
    )
    return status, asked.described


@attrs.frozen(kw_only=True)
class _Groups:
    """
    The coordinators' answers about groups. ``states``: group → state; empty: the states were not requested; None: the
    states could not be read.
    """

    described: Described
    committed: Mapping[str, Positions | BrokerError]
    states: Mapping[str, str] | None


def _ask_groups(overview: ClusterOverview, cluster: Cluster, groups: Mapping[str, frozenset[str]]) -> _Groups:
    """
    Ask for descriptions, states and committed offsets of groups. The sandbox's brokers return only offsets, and only
    for partitions that the request names, so they are asked about the partitions of each group's own topics.
    """
    described: Described = {}
    asked: dict[str, list[Partition] | None] = dict.fromkeys(groups)
    if cluster.is_sandbox:
        known = {group: _partitions(cluster, topics & cluster.partitions.keys()) for group, topics in groups.items()}
        asked = {group: named for group, named in known.items() if named}
    else:
        described = overview.described(groups, timeout=TIMEOUT)
    told = overview.committed(asked, described, timeout=TIMEOUT)
    committed: dict[str, Positions | BrokerError] = dict.fromkeys(groups, Positions())
    for group, one in told.items():
        committed[group] = one if isinstance(one, BrokerError) else {name: at.offset for name, at in one.items()}
    states = _states(overview) if any(map(_is_unknown, described.values())) else {}
    return _Groups(described=described, committed=committed, states=states)


def _states(overview: ClusterOverview) -> Mapping[str, str] | None:
    try:
        return overview.states(timeout=TIMEOUT)
    except BrokerError:  # the groups' states are then unknown
        return None


def _ask_topics(
    pool: Executor, overview: ClusterOverview, cluster: Cluster, names: Iterable[str]
) -> Callable[[], tuple[_Log, Options]]:
    """
    Begin to ask for offsets and options of the topics that exist. Return a function that waits for the answers and
    returns them.
    """
    there = sorted(cluster.partitions.keys() & names)
    partitions = _partitions(cluster, there)
    first = pool.submit(overview.first_offsets, partitions, timeout=TIMEOUT)
    end = pool.submit(overview.end_offsets, partitions, timeout=TIMEOUT)
    options = pool.submit(overview.many_topic_options, there if cluster.has_controller else (), timeout=TIMEOUT)
    return lambda: (_Log(partitions=partitions, first=first.result(), end=end.result()), options.result())


def _joined(one: tuple[_Log, Options], more: tuple[_Log, Options]) -> tuple[_Log, Options]:
    log = _Log(
        partitions=one[0].partitions + more[0].partitions,
        first={**one[0].first, **more[0].first},
        end={**one[0].end, **more[0].end},
    )
    return log, {**one[1], **more[1]}


def _topic(name: str, cluster: Cluster, log: _Log, options: dict[str, str] | BrokerError | None) -> TopicStatus:
    partitions = _partitions(cluster, [name] if name in cluster.partitions else [])
    known = options if isinstance(options, dict) else {}
    retention = int(known.get("retention.ms", -1))
    policy = known.get("cleanup.policy", "")
    return TopicStatus(
        topic=name,
        partitions=len(partitions),
        records=sum(log.lag(one, 0) for one in partitions) if partitions and log.knows(partitions) else None,
        policy=policy,
        retention_seconds=retention / 1000 if retention >= 0 and "delete" in policy else None,
    )


def _oldest(
    topics: Iterable[TopicStatus], overview: ClusterOverview, cluster: Cluster
) -> Mapping[str, datetime | None]:
    """
    Return topic → timestamp of the topic's oldest record. Kafka returns timestamps only from a search by time, so this
    function searches for the first record since 1970.
    """
    asked = [one.topic for one in topics if one.records]
    found = overview.offsets_since(dict.fromkeys(_partitions(cluster, asked), 0), timeout=TIMEOUT)
    oldest: defaultdict[str, list[int]] = defaultdict(list)
    for (topic, _), one in found.items():
        if one.timestamp >= 0:
            oldest[topic].append(one.timestamp)
    return {topic: _moment(min(times)) for topic, times in oldest.items()}


def _positions(told: Positions, cluster: Cluster, log: _Log, subscribed: frozenset[str]) -> Positions:
    """
    Return partition → position of a group. The position is the committed offset in ``told``. If nothing is committed
    for a partition of a ``subscribed`` topic, the position is the partition's first offset. Partitions that no longer
    exist are left out.
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
    Return partition → offset. The records before this offset are near their deletion: they are older than
    :data:`RETENTION_SHARE` of the topic's retention time. Only partitions with unread records and a known retention
    time are included. Kafka finds the offset by time, so no record is read.
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


def _members(
    described: GroupDescription | BrokerError | None, group: str, states: Mapping[str, str] | None
) -> dict[str, Any]:
    """
    Return the values of ``state`` and ``members`` for a :class:`GroupStatus`; empty if they are unknown. ``states``:
    group → state, as the brokers list them; None: the brokers cannot list groups.
    """
    if _is_unknown(described):
        if states is None:
            return {}
        state = states.get(group)
        return {"state": state or "none", "members": None if state not in (None, "empty") else 0}
    if isinstance(described, GroupDescription):
        return {"state": described.state, "members": len(described.members)}
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
