"""
Reads the status of the whole bus within a time limit. If a server does not answer, its part of the status is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from typing import Generic, TypeVar

import attrs

from event_bus_kafka.kafka.cluster.overview import ClusterOverview
from event_bus_kafka.kafka.schema_subjects import SchemaSubjects
from event_bus_kafka.operations.neglects.catalogue import (
    CATALOGUE,
    GROUP_WITHOUT_WORKER,
    RETENTION_ENDS,
    Neglect,
    NeglectKind,
)
from event_bus_kafka.operations.neglects.in_kafka import neglects as neglects_in_kafka
from event_bus_kafka.operations.neglects.in_tables import in_order
from event_bus_kafka.operations.neglects.wording import number
from event_bus_kafka.operations.schemas.own_schemas import OwnSchema
from event_bus_kafka.operations.status import check_of_workers as workers_of
from event_bus_kafka.operations.status import checks, kafka_status, table_status
from event_bus_kafka.operations.status import findings as findings_of
from event_bus_kafka.operations.status.asking import OF_DATABASE, Awaited, Looks, Unanswered, here, within_if_free
from event_bus_kafka.operations.status.findings import of_neglect
from event_bus_kafka.operations.status.table_status import TablesLook
from event_bus_kafka.operations.status.values import Finding, KafkaStatus, OwnBus, RegistryStatus, Status
from event_bus_kafka.operations.topic_steps import WantedTopic
from event_bus_kafka.operations.workers import WorkerRun

T = TypeVar("T")

TABLES, KAFKA, REGISTRY = "a database", "Kafka", "the schema registry"
LONGEST = {TABLES: OF_DATABASE, KAFKA: 30.0, REGISTRY: 30.0}
"""Server → time limit for all its answers, in seconds. The limit for a database applies to each database."""
WANTED, TOPICS = "the search for the topics that this service needs", "the check of topics"
_NO_CONTROLLER = "no broker is the controller at present, as while one takes over from another"
_LISTED = 5


@attrs.frozen(kw_only=True)
class StatusServers:
    """Access to the servers; each callable may raise :class:`EventBusError`."""

    overview: Callable[[], ClusterOverview]
    subjects: Callable[[], SchemaSubjects]
    wanted: Callable[[], list[WantedTopic]]
    """Returns the topics that this service needs. May query a database to see whether dead letters go to topics."""
    schemas: Callable[[], list[OwnSchema]]
    """Returns the schemas with which this service encodes keys and events."""


def status(
    own: OwnBus, servers: StatusServers, last: Looks, *, check: bool, longest: Mapping[str, float] = LONGEST
) -> Status:
    """
    Return the status of the bus. With ``check``, also run the checks. Raises nothing if a server fails or does not
    answer: the server is then in ``unanswered``.

    ``last``: server → the last look at the server. A server whose last look still hangs is not asked again.
    ``longest``: server → time limit for all answers of the server, in seconds.
    """
    wanted = within_if_free(longest[TABLES], last)(WANTED, servers.wanted)
    registry = within_if_free(longest[REGISTRY], last)(REGISTRY, lambda: _registry(servers, check=check))
    tables = table_status.look(own, within_if_free(longest[TABLES], last), check=check)
    runs, topics = tables.status.workers, wanted.wait()
    kafka = within_if_free(longest[KAFKA], last)(
        KAFKA, lambda: _kafka(own, () if isinstance(topics, Unanswered) else topics, runs, servers, check=check)
    )
    in_cluster, in_registry = _part(kafka), _part(registry)
    silent = [
        *tables.unanswered,
        *([topics] if isinstance(topics, Unanswered) else ()),
        *in_cluster.unanswered,
        *in_registry.unanswered,
    ]
    neglected, unknown = _neglects(tables, in_cluster.status)
    findings = [
        *(findings_of.UNANSWERED.of(one.server, one.reason) for one in silent),
        *in_cluster.findings,
        *in_registry.findings,
        *tables.findings,
        *checks.of_versions(runs or (), own.version),
        *workers_of.stuck(runs or ()),
        *workers_of.missing(own, in_cluster.status, runs),
        *map(of_neglect, neglected),
    ]
    return Status(
        taken=datetime.now(UTC),
        tables=tables.status,
        kafka=in_cluster.status,
        registry=in_registry.status,
        neglects=neglected,
        neglects_not_known=tuple(one.id for one in CATALOGUE if one in unknown),
        unanswered=tuple(silent),
        findings=findings_of.by_severity(findings) if check else None,
    )


@attrs.frozen(kw_only=True)
class _Part(Generic[T]):
    """The part of the status that comes from one server."""

    status: T | None
    unanswered: tuple[Unanswered, ...] = ()
    findings: tuple[Finding, ...] = ()


def _part(coming: Awaited[_Part[T]]) -> _Part[T]:
    told = coming.wait()
    return _Part(status=None, unanswered=(told,)) if isinstance(told, Unanswered) else told


def _checked(found: T, silent: Iterable[Unanswered], looks: Mapping[str, Callable[[], Iterator[Finding]]]) -> _Part[T]:
    """
    Return ``found``, the status that one server told, with the findings of the server's checks. ``looks``: name of a
    check → the check. A check that fails is unanswered; the others still run.
    """
    told = [here(what, partial(_all, look)).wait() for what, look in looks.items()]
    return _Part(
        status=found,
        unanswered=(*silent, *(one for one in told if isinstance(one, Unanswered))),
        findings=tuple(one for several in told if isinstance(several, list) for one in several),
    )


def _all(look: Callable[[], Iterator[Finding]]) -> list[Finding]:
    return list(look())


def _kafka(
    own: OwnBus,
    wanted: Iterable[WantedTopic],
    runs: Sequence[WorkerRun] | None,
    servers: StatusServers,
    *,
    check: bool,
) -> _Part[KafkaStatus]:
    overview = servers.overview()
    names = {*own.sent, *(one.name for one in wanted)}.union(*own.groups.values())
    found, described = kafka_status.look(overview, topics=names, groups=checks.groups_with(own, runs or ()))
    silent = list(_silent_partitions(found.silent))
    if not check or found.is_sandbox:
        return _Part(status=found, unanswered=tuple(silent))
    looks = {"the check of rights": lambda: checks.of_rights(overview, own, described)}
    if found.has_controller:
        looks[TOPICS] = lambda: checks.of_topics(overview, wanted, own.user)
    else:
        silent.append(Unanswered(server=TOPICS, reason=_NO_CONTROLLER))
    return _checked(found, silent, looks)


def _silent_partitions(names: Sequence[str]) -> Iterator[Unanswered]:
    if names:
        more = ", …" * (len(names) > _LISTED)
        reason = f"no answer about their offsets, so nothing of them is counted: {', '.join(names[:_LISTED])}{more}"
        yield Unanswered(server=f"{number(len(names), 'partition')} of topics", reason=reason)


def _registry(servers: StatusServers, *, check: bool) -> _Part[RegistryStatus]:
    with closing(servers.subjects()) as subjects:
        found = RegistryStatus(level=subjects.default_level())
        look = {"the check of schemas": lambda: checks.of_schemas(subjects, servers.schemas())}
        return _checked(found, (), look if check else {})


def _neglects(tables: TablesLook, kafka: KafkaStatus | None) -> tuple[tuple[Neglect, ...], set[NeglectKind]]:
    """
    Return the neglects, and the kinds that may have more neglects than were found.

    Kafka knows better than the tables whether a group has unread records. A group's neglect from the tables is left out
    if Kafka reports the same neglect. It is also left out if Kafka has returned the group's offsets and the lag on all
    partitions is known.
    """
    found, unknown = list(tables.neglected.neglects), set(tables.neglected.unknown)
    if kafka is None:
        return in_order(found), unknown | {one for one in CATALOGUE if one.needs_kafka}
    known = {one.group for one in kafka.groups if not one.refusal}
    runs = tables.status.workers
    alive = None if runs is None else {run.group for run in runs if run.is_alive}
    in_kafka = list(neglects_in_kafka(kafka.groups, alive=alive))
    told = {one.subject for one in in_kafka if one.kind is GROUP_WITHOUT_WORKER}
    judged = told if kafka.silent else known  # the lag on silent partitions is not counted
    found = [one for one in found if one.kind is not GROUP_WITHOUT_WORKER or one.subject not in judged]
    if all(one.has_members is not None for one in kafka.groups):
        unknown.discard(GROUP_WITHOUT_WORKER)
    if kafka.silent or len(known) < len(kafka.groups):
        unknown |= {GROUP_WITHOUT_WORKER, RETENTION_ENDS}
    if not kafka.is_sandbox and any(one.partitions and not one.policy for one in kafka.topics):
        unknown.add(RETENTION_ENDS)  # this user may not read the topics' options, so their retention is unknown
    return in_order([*found, *in_kafka]), unknown
