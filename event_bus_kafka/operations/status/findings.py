"""
Defines every kind of finding of ``event_bus_status --check`` except neglects. A reference page is generated from this
module.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from event_bus_kafka.operations.neglects import catalogue as neglects
from event_bus_kafka.operations.neglects.catalogue import Neglect
from event_bus_kafka.operations.status.values import Finding


@attrs.frozen(kw_only=True)
class FindingKind:
    """A kind of finding, for example ``topic-missing``."""

    id: str
    sentence: str
    remedy: str

    def of(self, subject: str, message: str, remedy: str = "") -> Finding:
        """Return a finding of this kind. ``remedy`` replaces the kind's remedy."""
        return Finding(id=self.id, subject=subject, message=message, remedy=remedy or self.remedy)


TOPIC_MISSING = FindingKind(
    id="topic-missing",
    sentence="A topic that this service sends to, reads or names in EVENT_BUS_KAFKA_TOPICS is not there.",
    remedy="manage.py event_topics apply",
)
TOPIC_SMALL = FindingKind(
    id="topic-small",
    sentence="A topic has fewer partitions than EVENT_BUS_KAFKA_TOPICS says.",
    remedy="manage.py event_topics plan says what moves; then event_topics apply",
)
TOPIC_DIFFERS = FindingKind(
    id="topic-differs",
    sentence="A topic's options or replication are not those of EVENT_BUS_KAFKA_TOPICS.",
    remedy="manage.py event_topics plan says which of them apply sets",
)
RIGHT_MISSING = FindingKind(
    id="right-missing",
    sentence="This service's user lacks a right in Kafka: WRITE on a topic that it sends to, READ on one that it reads "
    "and on its group, DESCRIBE on any of them.",
    remedy="Give it the right: kafka-acls --bootstrap-server SERVER --add --allow-principal User:NAME "
    "--operation RIGHT --topic TOPIC (or --group GROUP), or as your Kafka is administered",
)
PARTITION_STUCK = FindingKind(
    id="partition-stuck",
    sentence="A worker does not get on with a partition: one record has kept the window full for several seconds, or "
    "is older than 5 minutes and its receivers have failed 3 times or more.",
    remedy="Mend the receiver, or the service that it calls: the worker's log has the error and the place in the code. "
    "Or let the others go on without it: "
    "manage.py event_bus_pause --receiver RECEIVER. See 'The lag grows' in the runbook",
)
WORKER_MISSING = FindingKind(
    id="worker-missing",
    sentence="A group of EVENT_BUS_KAFKA_SUBSCRIPTIONS has no worker, though it has no records to read yet.",
    remedy="Run a worker: manage.py consume_events -g GROUP with its topics; or remove the group from "
    "EVENT_BUS_KAFKA_SUBSCRIPTIONS",
)
SCHEMA_MISSING = FindingKind(
    id="schema-missing",
    sentence="A schema of an event that this service sends is not registered: the first event registers it, or fails "
    "if EVENT_BUS_KAFKA_AUTO_REGISTER_SCHEMAS is False.",
    remedy="If no such event was sent yet, nothing is wrong. To register it now: manage.py event_schemas register",
)
SCHEMA_INCOMPATIBLE = FindingKind(
    id="schema-incompatible",
    sentence="The registry refuses a schema of an event that this service sends.",
    remedy="manage.py event_schemas check says why, field by field",
)
VERSIONS_APART = FindingKind(
    id="versions-apart",
    sentence="A running worker or relay has another version of this package than the command.",
    remedy="Deploy the same version everywhere, and restart what runs an old one",
)
TABLES_UNMIGRATED = FindingKind(
    id="tables-unmigrated",
    sentence="Migrations of this app are not applied in a database.",
    remedy="manage.py migrate event_bus_kafka, with --database where it is not the default one",
)
UNANSWERED = FindingKind(
    id="unanswered",
    sentence="A database, Kafka or the registry gave no answer, or a part of one: all that it would tell is not known.",
    remedy="See that this host reaches it: manage.py check --database ALIAS for a database, probe_event_bus for Kafka "
    "and the registry",
)

CATALOGUE: tuple[FindingKind, ...] = tuple(one for one in dict(globals()).values() if isinstance(one, FindingKind))
"""All kinds of finding, in the order of the reference page."""

BY_SEVERITY = (
    UNANSWERED.id,
    RIGHT_MISSING.id,
    TOPIC_MISSING.id,
    TABLES_UNMIGRATED.id,
    neglects.OUTBOX_WAITS.id,
    neglects.TOPIC_HELD.id,
    neglects.GROUP_WITHOUT_WORKER.id,
    PARTITION_STUCK.id,
    neglects.RETENTION_ENDS.id,
    neglects.DEAD_LETTERS_END.id,
    neglects.PARKED_ROWS_END.id,
    neglects.DEAD_LETTERS_GROW.id,
    SCHEMA_INCOMPATIBLE.id,
    neglects.RECEIVER_PAUSED.id,
    WORKER_MISSING.id,
    TOPIC_SMALL.id,
    TOPIC_DIFFERS.id,
    neglects.CLOCK_OFF.id,
    VERSIONS_APART.id,
    SCHEMA_MISSING.id,
)
"""
The ids of all kinds of finding and neglect, the most severe first: problems that stop events come before problems that
may stop or lose them.
"""


def by_severity(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings, the most severe first."""
    return tuple(sorted(found, key=lambda one: BY_SEVERITY.index(one.id)))


def of_neglect(neglect: Neglect) -> Finding:
    """Convert a neglect into a finding."""
    return Finding(id=neglect.id, subject=neglect.subject, message=neglect.message, remedy=neglect.remedy)
