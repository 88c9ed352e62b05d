"""The form that asks where an event is. Imports Kafka's client, so import this module only to answer the form."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import QueryDict
from django.utils.translation import gettext

from event_bus_kafka.assembly.whereabouts import where_is
from event_bus_kafka.errors import EventBusError
from event_bus_kafka.operations.group_offsets import Named
from event_bus_kafka.operations.whereabouts.answer import Question
from event_bus_kafka.operations.whereabouts.sentences import sentences

_SECONDS, _LIMIT = 5.0, 10.0
"""
Limits in seconds, because a user waits. The first number limits the reading of records. The second number limits the
whole answer, even if servers are silent.
"""


def answer(posted: QueryDict) -> dict[str, Any]:
    """
    Return the template's context: ``sentences`` with the answer, or a ``problem``. Never raises an error of this
    package.
    """
    event_id, key, topic = (posted.get(name, "").strip() for name in ("event_id", "key", "topic"))
    shown_again = {"event_id": event_id, "key": key, "topic": topic}
    try:
        found = UUID(event_id) if event_id else None
    except ValueError:
        return shown_again | {"problem": gettext("An event's id is a UUID, such as those in log lines.")}
    if found is None and not key:
        return shown_again | {"problem": gettext("Say the event's id, or the key of its record.")}
    try:
        topics = (Named.parse(topic).topic,) if topic else ()
    except ValueError:
        return shown_again | {"problem": gettext("Write the topic as topic, or topic:partition.")}
    question = Question(
        event_id=found,
        key=None if found else key,
        topics=topics,
        seconds=_SECONDS,
        limit=_LIMIT,
    )
    try:
        return shown_again | {"sentences": sentences(where_is(question))}
    except EventBusError as error:
        return shown_again | {"problem": str(error)}
