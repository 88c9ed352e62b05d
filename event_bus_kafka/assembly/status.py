"""Reads the status of the whole bus, for commands. Import this module only if the app is installed."""

from __future__ import annotations

from functools import partial
from importlib import import_module

from event_bus_kafka.assembly.own_tables import own_tables
from event_bus_kafka.assembly.schema_registry import subjects
from event_bus_kafka.assembly.topics import wanted_topics
from event_bus_kafka.conf.client_options import producer_options
from event_bus_kafka.conf.routes import full_topic, outbox_databases, routes
from event_bus_kafka.conf.settings import settings
from event_bus_kafka.kafka.cluster.overview import ClusterOverview
from event_bus_kafka.operations.probing.probe_event import PROBE_TOPIC
from event_bus_kafka.operations.schemas import own_schemas
from event_bus_kafka.operations.status import look
from event_bus_kafka.operations.status.asking import Looks
from event_bus_kafka.operations.status.kafka_status import TIMEOUT
from event_bus_kafka.operations.status.look import StatusServers
from event_bus_kafka.operations.status.values import OwnBus, Status
from event_bus_kafka.operations.topic_steps import WantedTopic


def own_bus() -> OwnBus:
    """Return the topics, groups and databases in the settings. Raises :class:`ConfigurationError`."""
    return OwnBus(
        sent=frozenset(full_topic(route.topic) for route in routes() if route.enabled),
        groups={group: frozenset(map(full_topic, topics)) for group, topics in settings.subscriptions.items()},
        outboxes=outbox_databases(),
        tables=own_tables(),
        version=import_module("event_bus_kafka").__version__,
        user=str((settings.client_options | settings.producer_options).get("sasl.username") or ""),
    )


def bus_status(*, check: bool) -> Status:
    """
    Return the present status of the bus. ``check``: whether to add findings, each a problem with its remedy. Raises
    :class:`ConfigurationError`.
    """
    servers = StatusServers(
        overview=lambda: ClusterOverview(producer_options()),
        subjects=partial(subjects, timeout=TIMEOUT),
        wanted=_wanted,
        schemas=own_schemas.by_subject,
    )
    return look.status(own_bus(), servers, _last, check=check)


_last: Looks = {}


def _wanted() -> list[WantedTopic]:
    """
    Return the topics that this service needs. The probe's topic is left out unless EVENT_BUS_KAFKA_TOPICS contains it,
    because events are sent and read without this topic.
    """
    probe = full_topic(PROBE_TOPIC)
    return [one for one in wanted_topics() if one.name != probe or PROBE_TOPIC in settings.topics]
