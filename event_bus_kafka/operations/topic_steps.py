"""Defines the topics that the settings require, and the steps that create or change topics."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from event_bus_kafka.kafka.admin import Admin

REQUEST_TIMEOUT = 30.0
"""
Time limit of one request, in seconds. It is long, because a broker answers only after all brokers know the new topic or
partitions.
"""


@attrs.frozen(kw_only=True)
class WantedTopic:
    """
    A topic as the settings require it. If a value is None, Kafka chooses it for a new topic, and it stays as it is in
    an existing topic.
    """

    name: str
    """Full name, with prefix."""
    uses: tuple[str, ...]
    """The reasons why the topic is wanted, in words."""
    partitions: int | None = None
    replication: int | None = None
    options: Mapping[str, str] = attrs.field(factory=dict)
    keyed: bool = True
    """Whether records with equal keys must stay in order."""


@attrs.frozen(kw_only=True)
class Create:
    """The step that creates a topic."""

    topic: WantedTopic

    right = "CREATE on the topic or the cluster"
    moves_keys = False

    @property
    def text(self) -> str:
        wanted = self.topic
        partitions = "as many partitions as the brokers choose"
        if wanted.partitions is not None:
            partitions = f"{wanted.partitions} partition{'s' * (wanted.partitions > 1)}"
        replication = "the brokers' replication" if wanted.replication is None else f"replication {wanted.replication}"
        options = [f"{name} = {value}" for name, value in sorted(wanted.options.items())]
        return f"create with {', '.join([partitions, replication, *options])}"

    def do(self, admin: Admin) -> None:
        """Create the topic. Raises :class:`BrokerError`."""
        wanted = self.topic
        admin.create_topic(
            wanted.name,
            partitions=wanted.partitions,
            replication=wanted.replication,
            options=wanted.options,
            timeout=REQUEST_TIMEOUT,
        )


@attrs.frozen(kw_only=True)
class Grow:
    """The step that adds partitions to a topic."""

    topic: WantedTopic
    before: int
    partitions: int
    moves_keys: bool
    """Whether new records of a key may go to another partition than earlier records of the key."""

    right = "ALTER on the topic"

    @property
    def text(self) -> str:
        moved = (
            ": keys move to other partitions, where their new events may overtake those that are still to be read"
            if self.moves_keys
            else ""
        )
        return f"grow from {self.before} to {self.partitions} partitions{moved}"

    def do(self, admin: Admin) -> None:
        """Add the partitions. Raises :class:`BrokerError`."""
        admin.grow_topic(self.topic.name, partitions=self.partitions, timeout=REQUEST_TIMEOUT)


@attrs.frozen(kw_only=True)
class Alter:
    """The step that sets options of a topic."""

    topic: WantedTopic
    before: Mapping[str, str]
    options: Mapping[str, str]

    right = "ALTER_CONFIGS on the topic"
    moves_keys = False

    @property
    def text(self) -> str:
        changes = [f"{name} from {self.before[name]} to {value}" for name, value in sorted(self.options.items())]
        return f"set {', '.join(changes)}"

    def do(self, admin: Admin) -> None:
        """Set the options. Raises :class:`BrokerError`."""
        admin.alter_topic(self.topic.name, options=self.options, timeout=REQUEST_TIMEOUT)


Step = Create | Grow | Alter
