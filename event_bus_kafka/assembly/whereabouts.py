"""Searches for an event in all tables and topics to which the settings give access, for commands and the admin."""

from __future__ import annotations

from collections import defaultdict
from contextlib import closing

from event_bus_kafka.assembly.dead_letter_stores import dead_letter_topic, goes_to_topic
from event_bus_kafka.assembly.schema_registry import registry
from event_bus_kafka.conf.client_options import consumer_options, producer_options
from event_bus_kafka.conf.routes import full_topic, routes
from event_bus_kafka.conf.settings import settings
from event_bus_kafka.kafka.cluster.groups import Groups
from event_bus_kafka.kafka.scanner import Scanner
from event_bus_kafka.operations.status.asking import OF_DATABASE, of_database
from event_bus_kafka.operations.whereabouts.answer import Question, Whereabouts
from event_bus_kafka.operations.whereabouts.neighbourhood import Neighbourhood, ServerAccess
from event_bus_kafka.operations.whereabouts.search import search
from event_bus_kafka.operations.whereabouts.tables import alias_of_letters

_GROUP = "event_trace"
"""A group id, which Kafka's client requires. No client joins this group, and nothing is ever committed for it."""
_REQUEST_TIMEOUT = 10.0
"""Time limit of one request to Kafka, in seconds."""
_SHARE_OF_LETTERS = 0.15
"""
Share of the search's time limit. If the database of dead letters does not answer within this share, dead letters are
assumed to be in its table.
"""


def where_is(question: Question) -> Whereabouts:
    """
    Search for an event. The result's ``unseen`` names databases, brokers and registries that did not answer. Records
    are read for at most ``question.seconds``. The whole search, including waiting for servers, takes at most
    ``question.limit`` seconds.

    Raises :class:`NotThere` if a topic that ``question`` names does not exist, and :class:`ConfigurationError` if a
    route is wrong.
    """
    return search(question, _neighbourhood(question), _SERVERS)


_SERVERS = ServerAccess(
    scanner=lambda until: Scanner(consumer_options(_GROUP), timeout=_REQUEST_TIMEOUT, until=until),
    groups=lambda: Groups(producer_options()),
    registry=lambda seconds: closing(registry(timeout=min(settings.registry_timeout, seconds))),
)


def _neighbourhood(question: Question) -> Neighbourhood:
    sent: defaultdict[str, set[str]] = defaultdict(set)
    for route in routes():  # disabled routes, too, which may have been enabled before
        sent[route.event_type].add(full_topic(route.topic))
    read = {group: frozenset(map(full_topic, topics)) for group, topics in settings.subscriptions.items()}
    return Neighbourhood(
        routes={event_type: frozenset(topics) for event_type, topics in sent.items()},
        subscriptions=read,
        dead_letters=frozenset(map(dead_letter_topic, read)) if _go_to_topic(question) else frozenset(),
    )


def _go_to_topic(question: Question) -> bool:
    """
    Return whether dead letters go to a topic. If the database does not answer in time, dead letters are assumed to be
    in its table.
    """
    if settings.dead_letters != "auto":
        return goes_to_topic()
    ask = of_database(alias_of_letters(), question.left(OF_DATABASE, _SHARE_OF_LETTERS))
    return ask("dead letters", goes_to_topic).wait() is True
