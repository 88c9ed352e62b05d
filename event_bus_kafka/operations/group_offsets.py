"""
Shows a consumer group's committed offsets and lag, and resets the offsets: one function plans a reset, another applies
it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from event_bus_kafka.conf.routes import full_topic
from event_bus_kafka.consuming.offset_metadata import OffsetMetadata
from event_bus_kafka.consuming.starting_offsets import milliseconds
from event_bus_kafka.errors import BrokerError, CannotReset, NotThere
from event_bus_kafka.kafka import error_codes
from event_bus_kafka.kafka.offsets import Committed, Partition, Range
from event_bus_kafka.kafka.reader import Reader
from event_bus_kafka.operations.group_members import members_of, refuse_members

_LARGEST = 2**63 - 1


@attrs.frozen
class Named:
    """A topic (with or without prefix) or one of its partitions, as an operator types it."""

    topic: str
    partition: int | None = None

    @classmethod
    def parse(cls, text: str) -> Named:
        """Parse a text of the form ``topic`` or ``topic:partition``. Raises ValueError."""
        topic, colon, partition = text.partition(":")
        if not topic or (colon and (not partition.isdecimal() or int(partition) >= 1 << 31)):
            raise ValueError(text)
        return cls(topic, int(partition) if colon else None)


@attrs.frozen
class Target:
    """
    A place in a partition; without any attribute, the end of the partition. If both ``offset`` and ``time`` are given,
    a replay of records begins at the later of the two places.
    """

    earliest: bool = False
    offset: int | None = None
    time: int | None = None
    """
    Milliseconds since the epoch. The place is the first record at or after this time, or the end if there is no such
    record.
    """

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read ``earliest``, ``latest``, an offset, or a time in ISO 8601. Raises ValueError with the reason."""
        if text in ("earliest", "latest"):
            return cls(earliest=text == "earliest")
        if text.isdecimal():
            if int(text) > _LARGEST:
                raise ValueError(f"{text!r} is no offset")
            return cls(offset=int(text))
        try:
            return cls(time=milliseconds(text))
        except ValueError as error:
            raise ValueError(f"{error}; else an offset, earliest or latest") from None

    @classmethod
    def both(cls, targets: Iterable[Target]) -> Target:
        """
        Merge several targets, for example an offset and a time, into a single target. If several targets have an
        offset, the offset of the last of these targets is used. The same applies to times.
        """
        found = cls()
        for one in targets:
            found = attrs.evolve(one, offset=_or(one.offset, found.offset), time=_or(one.time, found.time))
        return found


@attrs.frozen
class Standing:
    """The offset that a consumer group has reached on one partition."""

    partition: Partition
    committed: Committed | None
    there: Range
    """The offsets that exist in the partition."""

    @property
    def name(self) -> str:
        """The partition, as text: ``topic:partition``."""
        return f"{self.partition[0]}:{self.partition[1]}"

    @property
    def begins(self) -> int:
        """
        The offset that the group reads next: the committed offset or, if nothing is committed, the partition's first
        offset.
        """
        return self.committed.offset if self.committed else self.there.start

    @property
    def is_gone(self) -> bool:
        """Whether :attr:`begins` is before the partition's first offset or after its end offset."""
        return not self.there.start <= self.begins <= self.there.end

    @property
    def lag(self) -> int:
        """Number of offsets that the group has not read."""
        return self.there.end - (self.there.start if self.is_gone else self.begins)

    @property
    def metadata(self) -> OffsetMetadata:
        """The metadata that this package stored with the committed offset."""
        return OffsetMetadata.read(self.committed.metadata if self.committed else "")


@attrs.frozen
class Reset:
    """A planned reset: the new offset of a group on one partition."""

    standing: Standing
    to: int

    @property
    def position(self) -> Committed:
        """
        Offset and metadata to commit. Quarantine marks of later records are kept, so that workers still skip these
        records.
        """
        return Committed(self.to, self.standing.metadata.at(self.to))


def _or(number: int | None, other: int | None) -> int | None:
    return other if number is None else number


def partitions_of(reader: Reader, named: Iterable[Named]) -> list[Partition]:
    """
    Return the named partitions, and all partitions of topics that are named without a partition. Raises
    :class:`NotThere` if a topic or partition does not exist. Raises :class:`BrokerError` if Kafka does not answer.
    """
    found: dict[Partition, None] = {}
    for one in named:
        partitions = reader.partitions(full_topic(one.topic)) or reader.partitions(one.topic)
        if not partitions:
            names = " or ".join(dict.fromkeys([full_topic(one.topic), one.topic]))
            raise NotThere(f"There is no topic {names}, or this service has no right to see it.")
        if one.partition is not None and (partitions[0][0], one.partition) not in partitions:
            raise NotThere(f"Topic {partitions[0][0]} has no partition {one.partition}: it has {len(partitions)}.")
        found |= dict.fromkeys(name for name in partitions if one.partition in (None, name[1]))
    return sorted(found)


def standings(reader: Reader, partitions: Sequence[Partition]) -> list[Standing]:
    """Return one :class:`Standing` of the reader's group for each partition. Raises :class:`BrokerError`."""
    if not partitions:
        return []
    committed = reader.committed(partitions, timeout=reader.timeout)
    return [Standing(one, committed.get(one), reader.range_of(one, timeout=reader.timeout)) for one in partitions]


def topics_of(reader: Reader, group: str, named: Sequence[Named] = ()) -> list[Named]:
    """
    Return ``named`` or, if it is empty, the existing topics for which the group has committed offsets. Raises
    :class:`NotThere` if the group does not exist. Also raises it if ``named`` is empty and the brokers cannot list the
    group's topics.
    """
    topics = _committed_topics(reader, group)
    if not topics and not (members := members_of(reader, group)):
        if members is not None:
            raise NotThere(f"There is no group {group}: it has no members and has committed nothing.")
        if not named:
            raise NotThere("Brokers such as the sandbox do not list the topics of a group: name the topics (--topic).")
    return list(named) or [Named(topic) for topic in sorted(topics) if reader.partitions(topic)]


def plan(reader: Reader, group: str, partitions: Sequence[Partition], target: Target) -> list[Reset]:
    """
    Plan to set the group's offsets to ``target``. Raises :class:`CannotReset` if the group has members, if its members
    are unknown, or if the offset does not exist. Raises :class:`NotThere` if the group does not exist. Raises
    :class:`BrokerError` if Kafka does not answer.
    """
    refuse_members(reader, group, CannotReset)
    topics_of(reader, group)
    at_time = reader.offsets_at(partitions, target.time, timeout=reader.timeout) if target.time is not None else {}
    resets = [Reset(one, _offset(one, target, at_time)) for one in standings(reader, partitions)]
    outside = [one.standing for one in resets if not one.standing.there.start <= one.to <= one.standing.there.end]
    if outside:
        ranges = ", ".join(f"{one.name} {one.there.start} to {one.there.end}" for one in outside)
        raise CannotReset(f"Offset {target.offset} does not exist. First offset and end of each partition: {ranges}.")
    return resets


def apply(reader: Reader, group: str, resets: Iterable[Reset]) -> None:
    """
    Commit the planned offsets. Raises :class:`CannotReset` if the commit fails; it is then unknown which of the offsets
    are committed.
    """
    try:
        reader.commit({one.standing.partition: one.position for one in resets})
    except BrokerError as error:
        raise CannotReset(
            f"The commit failed: {error}. Some partitions may have been reset: look with event_offsets show. "
            f"Check that no worker of group {group} runs."
        ) from error


def _offset(standing: Standing, target: Target, at_time: dict[Partition, int]) -> int:
    if target.offset is not None:
        return target.offset
    if target.time is not None:
        return at_time[standing.partition]
    return standing.there.start if target.earliest else standing.there.end


def _committed_topics(reader: Reader, group: str) -> set[str]:
    try:
        return reader.committed_topics(group)
    except BrokerError as error:
        if error.code == error_codes.GROUP_ID_NOT_FOUND:
            return set()
        raise
