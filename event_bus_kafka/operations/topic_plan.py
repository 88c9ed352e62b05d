"""
Compares the topics in Kafka with the topics that the settings require. Plans and performs the steps that adapt the
topics in Kafka.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import attrs

from event_bus_kafka.errors import BrokerError
from event_bus_kafka.kafka.admin import Admin, TopicLayout
from event_bus_kafka.operations.topic_steps import Alter, Create, Grow, Step, WantedTopic
from event_bus_kafka.trouble import Trouble

_TIMEOUT = 10.0
"""Time limit of one request to Kafka, in seconds."""
_INTERNAL = "__"
"""Prefix of the names of Kafka's internal topics."""


@attrs.frozen(kw_only=True)
class TopicPlan:
    """The plan for one topic."""

    wanted: WantedTopic
    steps: tuple[Step, ...] = ()
    """The steps that :func:`apply` performs."""
    obstacles: tuple[str, ...] = ()
    """Differences that :func:`apply` does not remove, or the reason why the topic cannot be described."""
    remarks: tuple[str, ...] = ()
    """Differences that need no action."""

    @property
    def drifts(self) -> bool:
        """
        Whether a difference between Kafka's topic and the wanted topic needs action. Also True if Kafka's topic cannot
        be described.
        """
        return bool(self.steps or self.obstacles)


@attrs.frozen(kw_only=True)
class Plan:
    """The plan for all topics."""

    topics: tuple[TopicPlan, ...]
    others: tuple[str, ...]
    """Names of the cluster's topics that this service's settings do not require, without Kafka's internal topics."""

    @property
    def drifting(self) -> list[TopicPlan]:
        return [one for one in self.topics if one.drifts]


@attrs.frozen(kw_only=True)
class Result:
    """The result of one step, or an obstacle that no step removes. ``text`` describes the step or the obstacle."""

    topic: str
    text: str
    failure: str = ""
    """Why the step was not performed, or why the obstacle stays; empty: the step was performed."""


def plan(admin: Admin, wanted: Iterable[WantedTopic]) -> Plan:
    """
    Plan the steps for each topic. Raises :class:`BrokerError`, for example if the brokers cannot administer topics.
    """
    topics = sorted(wanted, key=lambda one: one.name)
    admin.require_controller(timeout=_TIMEOUT)
    there = admin.topics(timeout=_TIMEOUT)
    names = {one.name for one in topics}
    hidden = admin.hidden(names - there.keys(), timeout=_TIMEOUT)
    configured = [one.name for one in topics if one.options and one.name in there]
    options = admin.topic_options(configured, timeout=_TIMEOUT)

    def planned(one: WantedTopic) -> TopicPlan:
        if one.name in hidden:
            return _hidden(one)
        if one.name not in there:
            return TopicPlan(wanted=one, steps=(Create(topic=one),))
        return _compared(one, there[one.name], options.get(one.name, {}), admin)

    return Plan(
        topics=tuple(map(planned, topics)),
        others=tuple(sorted(name for name in there if name not in names and not name.startswith(_INTERNAL))),
    )


def apply(admin: Admin, plan: Plan, *, allow_key_moves: bool) -> Iterator[Result]:
    """
    Perform the planned steps. Yield a result for each step and each obstacle. Steps that move keys fail without
    ``allow_key_moves``. If a step fails, the other steps are still performed.
    """
    for one in plan.topics:
        for step in one.steps:
            failure = _why_not(step, admin, allow_key_moves=allow_key_moves)
            yield Result(topic=one.wanted.name, text=step.text, failure=failure)
        for obstacle in one.obstacles:
            yield Result(topic=one.wanted.name, text=obstacle, failure="event_topics cannot mend this")


def _hidden(wanted: WantedTopic) -> TopicPlan:
    return TopicPlan(wanted=wanted, obstacles=("cannot be seen: this user lacks the right DESCRIBE on the topic",))


def _compared(
    wanted: WantedTopic, there: TopicLayout, options: dict[str, str] | BrokerError, admin: Admin
) -> TopicPlan:
    obstacles: list[str] = []
    remarks: list[str] = []
    if wanted.partitions is not None and there.partitions > wanted.partitions:
        remarks.append(f"has {there.partitions} partitions, {wanted.partitions} wanted: Kafka takes none away")
    if wanted.replication is not None and there.replication != wanted.replication:
        obstacles.append(
            f"has replication {there.replication}, {wanted.replication} wanted: move it with Kafka's "
            "kafka-reassign-partitions"
        )
    if isinstance(options, BrokerError):
        obstacles.append(f"its options cannot be seen: {_lacks('DESCRIBE_CONFIGS on the topic', options)}")
        options = {}
    else:
        obstacles += [f"Kafka knows no topic option {name!r}" for name in sorted(wanted.options.keys() - options)]
    steps: list[Step] = [*_growth(wanted, there, admin), *_alterations(wanted, options)]
    return TopicPlan(wanted=wanted, steps=tuple(steps), obstacles=tuple(obstacles), remarks=tuple(remarks))


def _growth(wanted: WantedTopic, there: TopicLayout, admin: Admin) -> list[Grow]:
    if wanted.partitions is None or there.partitions >= wanted.partitions:
        return []
    moves = wanted.keyed and not admin.is_unwritten(wanted.name, partitions=there.partitions, timeout=_TIMEOUT)
    return [Grow(topic=wanted, before=there.partitions, partitions=wanted.partitions, moves_keys=moves)]


def _alterations(wanted: WantedTopic, there: Mapping[str, str]) -> list[Alter]:
    changed = {
        name: value for name, value in wanted.options.items() if name in there and not _is_same(there[name], value)
    }
    return [Alter(topic=wanted, before=there, options=changed)] if changed else []


def _is_same(there: str, wanted: str) -> bool:
    """
    Whether two values of an option are equal as numbers, or as lists without regard to order. A comparison as texts is
    not enough: Kafka may write a number or a list in another form than the settings.
    """
    try:
        return float(there) == float(wanted)
    except ValueError:
        return _items(there) == _items(wanted)


def _items(text: str) -> list[str]:
    return sorted(item.strip() for item in text.split(","))


def _why_not(step: Step, admin: Admin, *, allow_key_moves: bool) -> str:
    """Perform ``step`` if possible. Return the reason why it was not performed; empty: it was performed."""
    if step.moves_keys and not allow_key_moves:
        return "not without --allow-key-moves: let the workers finish what is there, or accept it"
    try:
        step.do(admin)
    except BrokerError as error:
        return _lacks(step.right, error)
    return ""


def _lacks(right: str, error: BrokerError) -> str:
    return f"this user lacks the right {right}" if error.kind is Trouble.FORBIDDEN else str(error)
