"""
Reads the status of the whole bus within a time limit. If a server does not answer, only its part of the status is
missing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Generic, TypeVar

import attrs
from django.core.exceptions import ImproperlyConfigured
from django.db import Error, connections

from event_bus_kafka.errors import EventBusError
from event_bus_kafka.kafka.cluster.overview import ClusterOverview
from event_bus_kafka.kafka.schema_subjects import SchemaSubjects
from event_bus_kafka.operations.neglects.catalogue import GROUP_WITHOUT_WORKER, Neglect
from event_bus_kafka.operations.neglects.in_kafka import neglects as neglects_in_kafka
from event_bus_kafka.operations.neglects.in_tables import in_order
from event_bus_kafka.operations.schemas.own_schemas import OwnSchema
from event_bus_kafka.operations.status import checks, kafka_status, table_status
from event_bus_kafka.operations.status.findings import of_neglect
from event_bus_kafka.operations.status.values import (
    Finding,
    KafkaStatus,
    OwnBus,
    RegistryStatus,
    Status,
    TableStatus,
    Unanswered,
)
from event_bus_kafka.operations.topic_steps import WantedTopic
from event_bus_kafka.operations.workers import WorkerRun
from event_bus_kafka.shown import logger_named
from event_bus_kafka.telemetry.error_text import trace_text

logger = logger_named(__name__)

T = TypeVar("T")

TABLES, KAFKA, REGISTRY = "the database", "Kafka", "the schema registry"
LONGEST = {TABLES: 10.0, KAFKA: 30.0, REGISTRY: 30.0}
"""Server → time limit for all answers of the server, in seconds."""


@attrs.frozen(kw_only=True)
class StatusServers:
    """Access to the servers; each callable may raise :class:`EventBusError`."""

    overview: Callable[[], ClusterOverview]
    subjects: Callable[[], SchemaSubjects]
    wanted: Callable[[], list[WantedTopic]]
    """Returns the topics that this service needs. May query a database to see whether dead letters go to topics."""
    schemas: Callable[[], list[OwnSchema]]
    """Returns the schemas with which this service encodes keys and events."""


@attrs.define
class _Answer(Generic[T]):
    """
    The answer that one thread gets from a server. While ``value`` and ``failure`` are empty, the thread is waiting.
    """

    server: str
    thread: threading.Thread
    began: float = attrs.field(factory=monotonic)
    value: T | None = None
    failure: str = ""
    is_fault: bool = False
    """True: ``failure`` describes an unexpected exception, not an error of the server."""

    def wait(self, longest: Mapping[str, float]) -> Unanswered | None:
        """
        Wait for the answer. Return None, or why there is no answer. ``longest``: server → maximum seconds since the
        thread's start.
        """
        self.thread.join(max(self.began + longest[self.server] - monotonic(), 0))
        if self.value is not None:
            return None
        return Unanswered(
            server=self.server,
            reason=self.failure or f"it did not answer within {longest[self.server]:g} s",
            is_fault=self.is_fault,
        )


def status(own: OwnBus, servers: StatusServers, *, check: bool, longest: Mapping[str, float] = LONGEST) -> Status:
    """
    Read the status. ``check``: look for findings, too. Errors of servers are returned in ``unanswered``, not raised.
    ``longest``: server → time limit for its answers, in seconds.
    """
    tables, wanted = _ask(TABLES, lambda: _tables(own, check=check)), _ask(TABLES, servers.wanted)
    registry = _ask(REGISTRY, lambda: _registry(servers, check=check))
    unanswered = [tables.wait(longest)]
    wanted.wait(longest)
    told, found = tables.value or (None, [])
    runs = told.workers if told else ()
    kafka = _ask(KAFKA, lambda: _kafka(own, wanted.value, runs, servers, check=check))
    unanswered += [kafka.wait(longest), registry.wait(longest)]
    in_cluster, more = kafka.value or (None, [])
    in_registry, most = registry.value or (None, [])
    neglected = _neglects(told, in_cluster)
    findings = [*more, *most, *found, *checks.of_versions(runs, own.version), *map(of_neglect, neglected)]
    return Status(
        taken=datetime.now(UTC),
        tables=told,
        kafka=in_cluster,
        registry=in_registry,
        neglects=tuple(neglected),
        unanswered=tuple(filter(None, unanswered)),
        findings=tuple(findings) if check else None,
    )


def _ask(server: str, look: Callable[[], T]) -> _Answer[T]:
    """
    Call ``look`` in a daemon thread. Return the answer at once; the thread fills it in later. If a database driver
    hangs for minutes, the process can end nevertheless.
    """

    def run() -> None:
        try:
            answer.value = look()
        except (EventBusError, ImproperlyConfigured) as error:
            answer.failure = str(error)
        except Error as error:
            answer.failure = f"{type(error).__name__}: {' '.join(str(error).split())}"  # of connecting or of a query
        except Exception as error:  # noqa: BLE001 drivers and routers raise anything; other parts are still shown
            logger.error("Looking at %s failed unexpectedly: %s", server, trace_text(error))
            answer.failure, answer.is_fault = f"{type(error).__name__}: see the log", True
        finally:
            connections.close_all()

    thread = threading.Thread(target=run, name="event-bus-status", daemon=True)
    answer: _Answer[Any] = _Answer(server, thread)
    thread.start()
    return answer


def _tables(own: OwnBus, *, check: bool) -> tuple[TableStatus, list[Finding]]:
    return table_status.look(own), list(checks.of_databases(own.outboxes)) if check else []


def _kafka(
    own: OwnBus, wanted: list[WantedTopic] | None, runs: Sequence[WorkerRun], servers: StatusServers, *, check: bool
) -> tuple[KafkaStatus, list[Finding]]:
    """Return Kafka's status and findings. ``wanted``: topics that this service needs; None: unknown."""
    overview = servers.overview()
    names = {*own.sent, *(one.name for one in wanted or ())}.union(*own.groups.values())
    found = kafka_status.look(overview, topics=names, groups=checks.groups_with(own, runs))
    if not check or not found.has_controller:  # the sandbox cannot administer topics
        return found, []
    return found, [*checks.of_topics(overview, wanted or ()), *checks.of_rights(overview, own)]


def _registry(servers: StatusServers, *, check: bool) -> tuple[RegistryStatus, list[Finding]]:
    with closing(servers.subjects()) as subjects:
        level = subjects.default_level()
        return RegistryStatus(level=level), list(checks.of_schemas(subjects, servers.schemas())) if check else []


def _neglects(tables: TableStatus | None, kafka: KafkaStatus | None) -> list[Neglect]:
    """
    Return the neglects of tables and Kafka. If Kafka has answered for a group, Kafka decides whether the group has a
    worker; the tables do not.
    """
    found = list(tables.neglects if tables else ())
    if kafka is None:
        return found
    known = {one.group for one in kafka.groups if not one.refusal}
    alive = {run.group for run in (tables.workers if tables else ()) if run.is_alive}
    found = [one for one in found if one.kind is not GROUP_WITHOUT_WORKER or one.subject not in known]
    return in_order([*found, *neglects_in_kafka(kafka.groups, alive=alive)])
