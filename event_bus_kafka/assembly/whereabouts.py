"""Looks for an event everywhere that this service reaches, by its settings. For commands and the admin alone."""

from __future__ import annotations

from event_bus_kafka.operations.whereabouts.answer import Question, Whereabouts


def where_is(question: Question) -> Whereabouts:
    """
    Look for an event. Databases, brokers and the registry that are away are told of in ``unseen``: never raises for
    one. Takes ``question.seconds`` for reading records, and as long as servers take to answer besides.

    Raises :class:`NotThere` where none of the topics that are named exists.
    """
    raise NotImplementedError
