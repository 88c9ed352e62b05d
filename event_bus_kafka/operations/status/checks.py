"""Defines the checks of ``event_bus_status --check``. Each function yields the findings about one part of the bus."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping
from pkgutil import iter_modules

from django.db import connections
from django.db.migrations.recorder import MigrationRecorder

from event_bus_kafka import migrations
from event_bus_kafka.errors import BrokerError
from event_bus_kafka.kafka import error_codes
from event_bus_kafka.kafka.cluster.groups import Described, GroupDescription
from event_bus_kafka.kafka.cluster.overview import ClusterOverview
from event_bus_kafka.kafka.schema_subjects import SchemaSubjects
from event_bus_kafka.models.database_time import VENDORS
from event_bus_kafka.operations import topic_plan
from event_bus_kafka.operations.schemas.own_schemas import OwnSchema
from event_bus_kafka.operations.schemas.schema_check import SchemaStanding, in_registry
from event_bus_kafka.operations.status import findings
from event_bus_kafka.operations.status.kafka_status import TIMEOUT
from event_bus_kafka.operations.status.values import Finding, OwnBus
from event_bus_kafka.operations.topic_plan import TopicPlan
from event_bus_kafka.operations.topic_steps import Create, Grow, WantedTopic
from event_bus_kafka.operations.workers import WorkerRun
from event_bus_kafka.trouble import Trouble

_APP = "event_bus_kafka"
_RIGHT = re.compile(r"lacks the right (\w+)")


def of_databases(aliases: Iterable[str]) -> Iterator[Finding]:
    """Yield a finding for each database that lacks migrations of this app. Raises a database error."""
    known = {module.name for module in iter_modules(migrations.__path__)}
    for alias in aliases:
        if connections[alias].vendor in VENDORS:
            applied = MigrationRecorder(connections[alias]).applied_migrations()
            missing = sorted(known - {name for app, name in applied if app == _APP})
            if missing:
                message = f"Not applied: {', '.join(missing)}."
                yield findings.TABLES_UNMIGRATED.of(f"database {alias}", message)


def of_versions(runs: Iterable[WorkerRun], own: str) -> Iterator[Finding]:
    """
    Yield a finding for each running worker and relay whose version differs from ``own``, the version of this process.
    """
    for run in runs:
        if run.is_alive and run.version != own:
            message = f"It runs {run.version}, this command {own}."
            yield findings.VERSIONS_APART.of(f"{run.kind} {run.host}:{run.pid}", message)


def of_topics(overview: ClusterOverview, wanted: Iterable[WantedTopic], user: str) -> Iterator[Finding]:
    """
    Yield a finding for each difference between a topic in Kafka and the wanted topic, if the difference needs action.
    Also yield a finding for each topic that cannot be described. ``user``: the name with which this service logs in;
    empty: unknown. Raises :class:`BrokerError`.
    """
    for one in topic_plan.plan(overview, wanted).topics:
        yield from _of_topic(one, user)


def _of_topic(planned: TopicPlan, user: str) -> Iterator[Finding]:
    name = planned.wanted.name
    for step in planned.steps:
        kind = {Create: findings.TOPIC_MISSING, Grow: findings.TOPIC_SMALL}.get(type(step), findings.TOPIC_DIFFERS)
        why = "; ".join(planned.wanted.uses)
        yield kind.of(name, f"To do: {step.text}. Why it is wanted: {why}.")
    for obstacle in planned.obstacles:
        right = _RIGHT.search(obstacle)
        if right is None:
            yield findings.TOPIC_DIFFERS.of(name, f"The topic {obstacle}.")
        else:
            message = f"The topic {obstacle}.".replace("this user", f"this {_named(user)}")
            yield findings.RIGHT_MISSING.of(name, message, _grant(user, f"topic {name}", [right[1]]))


def of_rights(overview: ClusterOverview, own: OwnBus, described: Described) -> Iterator[Finding]:
    """
    Yield a finding for each permission in Kafka that this service's user needs and does not have. Also yield a finding
    for each existing topic or group whose permissions Kafka does not tell, unless :func:`of_topics` reports the topic.
    ``described``: descriptions of the groups, which contain the user's permissions. Raises :class:`BrokerError`.
    """
    wanted: dict[str, set[str]] = {topic: {"WRITE"} for topic in own.sent}
    for topics in own.groups.values():
        for topic in topics:
            wanted.setdefault(topic, set()).add("READ")
    for topic, told in sorted(overview.topic_rights(wanted, timeout=TIMEOUT).items()):
        if not isinstance(told, BrokerError):
            yield from _lacking(own.user, f"topic {topic}", wanted[topic] - told)
        elif told.kind not in (Trouble.FORBIDDEN, Trouble.MISSING):  # of_topics has reported these
            yield findings.UNANSWERED.of(f"rights on topic {topic}", f"{told}.")
    for group in sorted(own.groups):
        one = described.get(group)
        if isinstance(one, GroupDescription):
            yield from _lacking(own.user, f"group {group}", {"READ"} - one.operations)
        elif one is not None and one.kind is Trouble.FORBIDDEN:
            yield from _lacking(own.user, f"group {group}", {"READ"})
        elif one is not None and one.code != error_codes.GROUP_ID_NOT_FOUND:
            yield findings.UNANSWERED.of(f"rights on group {group}", f"{one}.")


def _lacking(user: str, subject: str, rights: Collection[str]) -> Iterator[Finding]:
    if rights:
        message = f"This {_named(user)} lacks {' and '.join(sorted(rights))} on it."
        yield findings.RIGHT_MISSING.of(subject, message, _grant(user, subject, sorted(rights)))


def _named(user: str) -> str:
    return f"service's user {user}" if user else "user"


def _grant(user: str, subject: str, rights: Iterable[str]) -> str:
    """
    Return the advice to give the user ``rights`` on ``subject``, such as ``topic certificates``, with the command.
    """
    kind, _, name = subject.partition(" ")
    operations = [word for right in rights for word in ("--operation", right)]
    words = ("--add", "--allow-principal", f"User:{user or 'NAME'}", *operations, f"--{kind}", name)
    command = f"kafka-acls --bootstrap-server SERVER {shlex.join(words)}"
    return f"Give it the right: {command}, or as your Kafka is administered"


def of_schemas(subjects: SchemaSubjects, schemas: Iterable[OwnSchema]) -> Iterator[Finding]:
    """
    Yield a finding for each schema that the registry refuses or does not have. Raises :class:`SchemaRegistryError`.
    """
    for own in schemas:
        if subjects.id_of(own.subject, own.schema) is not None:
            continue
        found = in_registry(subjects, own)
        if found.standing is SchemaStanding.INCOMPATIBLE:
            message = f"It may not follow (level {found.level}): {'; '.join(found.refusals)}."
            yield findings.SCHEMA_INCOMPATIBLE.of(own.subject, message)
        else:
            yield findings.SCHEMA_MISSING.of(own.subject, f"The schema of {own.event_type} is not registered.")


def groups_with(own: OwnBus, runs: Iterable[WorkerRun]) -> Mapping[str, frozenset[str]]:
    """Return consumer group → topics, for all groups in the settings or in ``runs``."""
    found = dict(own.groups)
    for run in runs:
        if run.kind == "consumer":
            found[run.group] = found.get(run.group, frozenset()) | frozenset(run.topics)
    return found
