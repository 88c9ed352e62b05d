"""
The answer to the form that asks where an event is. Imports Kafka's client, so import this module only to answer the
form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

import attrs
from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext

from event_bus_kafka.admin.ages import moment_of
from event_bus_kafka.admin.dead_letters.meant import TICKED
from event_bus_kafka.admin.pages import Page
from event_bus_kafka.admin.shapes import Cell, Linked, Marked, Posting
from event_bus_kafka.assembly.whereabouts import where_is
from event_bus_kafka.conf.settings import settings
from event_bus_kafka.errors import EventBusError
from event_bus_kafka.models import DeadLetter, Heartbeat, ParkedRecord, ReplayRequest, Right
from event_bus_kafka.operations.group_offsets import Named
from event_bus_kafka.operations.groups import groups
from event_bus_kafka.operations.whereabouts.answer import GroupPlace, LetterPlace, OutboxPlace, Question
from event_bus_kafka.operations.whereabouts.outcome import needs_hand, outcome
from event_bus_kafka.operations.whereabouts.sentences import AnswerLine, lines
from event_bus_kafka.operations.workers import workers
from event_bus_kafka.shown import shown

_SECONDS, _LIMIT = 5.0, 10.0
"""
Limits in seconds, because a user waits. The first number limits the reading of records. The second number limits the
whole answer, even if servers are silent.
"""


@attrs.frozen(kw_only=True)
class AnswerItem:
    """A line of the answer, with links and buttons to the pages where a user can act, and the details below it."""

    line: AnswerLine
    actions: Sequence[Cell]
    details: list[AnswerItem] = attrs.field(factory=list)


def answer(posted: QueryDict, actions: Callable[[AnswerLine], Sequence[Cell]]) -> dict[str, Any]:
    """
    Return the template's context: ``outcome`` and ``findings`` of the answer, or a ``problem``. ``actions``: returns
    the links and buttons for a line, see :func:`actions_of`. Never raises an error of this package.
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
        found_places = where_is(question)
    except EventBusError as error:
        return shown_again | {"problem": str(error)}
    told, mark = lines(found_places, moment_of), "bad" if needs_hand(found_places) else "idle"
    return shown_again | {
        "outcome": Marked(text=outcome(found_places), mark=mark),
        "event": told[0].text,
        "findings": _findings(told[1:], actions),
    }


def _findings(told: Iterable[AnswerLine], actions: Callable[[AnswerLine], Sequence[Cell]]) -> list[AnswerItem]:
    found: list[AnswerItem] = []
    for line in told:
        several = found[-1].details if line.is_detail else found
        several.append(AnswerItem(line=line, actions=actions(line)))
    return found


def actions_of(page: Page, request: HttpRequest) -> Callable[[AnswerLine], Sequence[Cell]]:
    """Return a function that returns links and buttons for a line, as far as the user has the rights for them."""
    runs = workers() if page.page_of(Heartbeat).is_migrated() else []
    known = {one.group for one in groups(runs, settings.subscriptions)}
    may_replay = Right.REPLAY.is_given_to(request.user) and page.page_of(ReplayRequest).is_migrated()
    return lambda line: list(_actions(page, line, known, may_replay=may_replay))


def _actions(page: Page, line: AnswerLine, groups_with_page: set[str], *, may_replay: bool) -> Iterator[Cell]:
    place = line.place
    if isinstance(place, OutboxPlace):
        yield page.page_of(ParkedRecord).link
    elif isinstance(place, LetterPlace):
        text = gettext("Dead letter %(record)s") % {"record": shown(place.coordinates)}
        yield Linked(text=text, url=page.page_of(DeadLetter).url("letter", place.letter))
        if may_replay:
            replay, fields = page.page_of(ReplayRequest).url("request"), {"scope": TICKED, "id": str(place.letter)}
            yield Posting(label=gettext("Replay …"), about=text, action=replay, fields=fields)
    elif isinstance(place, GroupPlace) and place.group in groups_with_page:
        text = gettext("Group %(group)s") % {"group": shown(place.group)}
        yield Linked(text=text, url=page.page_of(Heartbeat).url("group", place.group))
