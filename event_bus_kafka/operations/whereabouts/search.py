"""Searches for an event in all tables and topics to which this service has access."""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import wait
from functools import partial
from math import inf

import attrs

from event_bus_kafka.conf.routes import full_topic
from event_bus_kafka.operations.group_offsets import Named
from event_bus_kafka.operations.status.asking import within
from event_bus_kafka.operations.whereabouts.answer import Question, Unseen, Whereabouts
from event_bus_kafka.operations.whereabouts.brokers import BrokerSearch
from event_bus_kafka.operations.whereabouts.gathered import BrokerFindings
from event_bus_kafka.operations.whereabouts.neighbourhood import Neighbourhood, ServerAccess
from event_bus_kafka.operations.whereabouts.tables import Tables


def search(question: Question, around: Neighbourhood, servers: ServerAccess) -> Whereabouts:
    """
    Search this service's tables, then Kafka. Dead letters that tell the event's offset make the search in Kafka
    shorter, as :func:`ranges_to_scan` says. Unreachable servers are noted in the answer. Raises :class:`NotThere` if a
    topic that the question names does not exist.
    """
    named = [Named.parse(one).topic for one in question.topics]
    of_key = {name for one in named for name in (one, full_topic(one))} or around.topics(question.event_type)
    tables = Tables(question, of_key).look()
    event_type = question.event_type or tables.event_type
    by_id = tables.letters if question.event_id else ()
    places = {(one.topic, one.partition): one.offset for one in by_id}
    topics = around.left_to_search(event_type) if places and event_type else around.topics(event_type)
    kafka = _in_time(question, BrokerSearch(question, around, servers, places), topics)
    waiting = {one.topic for one in tables.outbox}  # an event that is not sent yet cannot be deleted there
    return Whereabouts(
        question=question,
        event_type=event_type or kafka.event_type,
        outbox=tuple(tables.outbox),
        records=tuple(kafka.records),
        more_records=kafka.more_records,
        letters=tuple(tables.letters),
        marks=tuple(tables.marks),
        scanned=tuple(kafka.scanned),
        read=kafka.read,
        gone=tuple(one for one in kafka.gone if one.topic not in waiting),
        unseen=(*tables.unseen, *kafka.unseen),
    )


def _in_time(question: Question, kafka: BrokerSearch, topics: Collection[str]) -> BrokerFindings:
    """
    Search Kafka, and return the findings. If the question has a time limit, return the findings so far when the share
    :data:`_LAST` of the limit is over, because the time limits of the requests to Kafka may add up to more. Raises
    :class:`NotThere`, as :meth:`BrokerSearch.look` does.
    """
    if question.limit is None:
        return kafka.look(topics)
    seconds = question.left(inf, _LAST)
    coming = within(seconds)("Kafka", partial(kafka.look, topics)).outcome
    wait([coming], seconds)
    if coming.done():
        return coming.result()
    silent = Unseen(what="Kafka", why=f"it did not answer within {seconds:.2g} s")
    return attrs.evolve(kafka.found, unseen=[*kafka.found.unseen, silent])


_LAST = 0.95
"""Share of the time limit of the whole answer, after which the search does not wait for Kafka any more."""
