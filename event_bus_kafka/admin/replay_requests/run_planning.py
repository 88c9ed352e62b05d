"""
Plans replays of topics, and backfills, for admin pages. Import this module only to show a form or a plan, because it
loads Kafka's client.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import attrs
from django.http import QueryDict
from django.utils.translation import gettext as _

from event_bus_kafka.admin.replay_requests.run_choices import backfill_choices, topic_choices
from event_bus_kafka.admin.replay_requests.run_forms import BackfillForm, RunForm, TopicForm, shared_values
from event_bus_kafka.admin.replay_requests.run_receivers import CalledReceivers, receivers_table
from event_bus_kafka.admin.replay_requests.run_sentences import (
    backfill_sentences,
    items_words,
    obstacle,
    offsets_words,
    repetition,
    topic_sentences,
)
from event_bus_kafka.admin.shapes import Facts, Table
from event_bus_kafka.assembly.reading import reader_for
from event_bus_kafka.conf.routes import full_topic, short_topic
from event_bus_kafka.conf.settings import settings
from event_bus_kafka.errors import ConfigurationError, EventBusError
from event_bus_kafka.kafka.offsets import Partition, Range
from event_bus_kafka.operations.event_catalogue import event_types
from event_bus_kafka.operations.group_offsets import Named, Target, partitions_of
from event_bus_kafka.operations.records import ranges
from event_bus_kafka.operations.requested_runs.backfill_sources import all_sources, count_items, enabled_routes
from event_bus_kafka.operations.requested_runs.run_progress import RunProgress
from event_bus_kafka.operations.requested_runs.run_requests import BackfillArguments, RunWish, TopicArguments
from event_bus_kafka.operations.workers import workers
from event_bus_kafka.shown import shown

Read = TypeVar("Read")

PLACES = "places"
"""
Name of the form field with the offsets of the plan that the user saw. The run reads only records with these offsets,
not records that come later.
"""
_READER = "replay_events"
"""A group id, which Kafka's client requires. Nothing is ever committed for this group."""
_LARGEST = 2**63 - 1
"""Kafka's largest offset."""
_SHOWN = 100
"""Maximum number of partitions that the page lists."""


@attrs.frozen(kw_only=True)
class PlannedRun:
    """The plan of a run, which a page shows before the user requests the run."""

    wish: RunWish
    words: str
    """Description of the run for the message to the user and for Django's history, without event data."""
    button: str
    sentences: Sequence[str]
    obstacle: str
    """Why no worker would take the run, with the remedy; empty: a worker would take it."""
    choices: Facts
    """The user's choices as this service has understood them. The key of a replay is masked."""
    warning: str = ""
    """Sentence that stands above the button."""
    tables: Sequence[Table] = ()
    fields: dict[str, str] = attrs.field(factory=dict)
    """Fields that the confirmation posts in addition to those of the form."""
    was_shown: bool = True
    """Whether the previous page showed the offsets of this plan to the user; True for a run without offsets."""

    @property
    def is_empty(self) -> bool:
        return not self.wish.progress.total


def plan_topic(form: RunForm, posted: QueryDict) -> PlannedRun | None:
    """Plan a replay of a topic. If that is not possible, add the reason to the form as an error, and return None."""
    assert isinstance(form, TopicForm)
    values = form.cleaned_data
    named = _read(form, "topic", Named.parse, _("Write it as topic, or topic:partition."))
    start = _read(form, "start", Target.parse)
    end = _read(form, "end", Target.parse) if values["end"] else Target()
    if named is None or start is None or end is None:
        return None
    try:
        found = _posted(posted, named) or _found(named, start, end)
    except EventBusError as error:
        form.add_error("topic", str(error))
        return None
    topic = next(iter(found))[0]
    arguments = TopicArguments(
        topic=topic,
        event_type=values["event_type"] or None,
        key=values["key"] or None,
        since=start.time,
        before=end.time,
    )
    progress = RunProgress.of_ranges(found)
    wish = RunWish(arguments=arguments, progress=progress, receiver=values["receiver"], **shared_values(form))
    called = CalledReceivers.of(arguments, wish.receiver)
    return PlannedRun(
        wish=wish,
        words=_("topic %(topic)s, %(count)s offsets, by workers of group %(group)s; receivers: %(receivers)s")
        % {
            "topic": shown(topic),
            "count": f"{progress.total:,}",
            "group": shown(wish.group),
            "receivers": shown(wish.receiver) or _("all that listen"),
        },
        button=_("Request the replay of %(offsets)s") % {"offsets": offsets_words(progress)},
        sentences=topic_sentences(wish, arguments),
        obstacle=obstacle(wish),
        warning=repetition(wish, len(called.paused)),
        choices=topic_choices(wish, arguments, start, end),
        tables=[receivers_table(arguments, called), _offsets(progress)] if progress.total else [],
        fields={PLACES: _as_text(found)},
        was_shown=bool(_posted(posted, named)),
    )


def plan_backfill(form: RunForm, posted: QueryDict) -> PlannedRun | None:
    """Plan a backfill. If that is not possible, add the reason to the form as an error, and return None."""
    assert isinstance(form, BackfillForm)
    values = form.cleaned_data
    try:
        source = all_sources().get(values["source"])
        if source is None:
            form.add_error("source", _("This service has no such source."))
            return None
        total = count_items(source, values["resume"] or None, values["limit"])
        topics = ", ".join(full_topic(one.topic) for one in enabled_routes(source))
    except EventBusError as error:
        form.add_error("source", str(error))
        return None
    if not topics:
        form.add_error("source", _("EVENT_BUS_PRODUCER_CONFIG has no enabled topic for its events."))
        return None
    arguments = BackfillArguments(source=source.name, event_type=source.signal.event_type, limit=values["limit"])
    progress = RunProgress(total=total, token=values["resume"] or None)
    wish = RunWish(arguments=arguments, progress=progress, **shared_values(form))
    return PlannedRun(
        wish=wish,
        words=_("backfill of %(source)s, %(count)s items") % {"source": source.name, "count": f"{total:,}"},
        button=_("Request the backfill of %(items)s") % {"items": items_words(progress)},
        sentences=backfill_sentences(wish, source, topics),
        obstacle=obstacle(wish),
        choices=backfill_choices(wish, arguments),
    )


def names() -> dict[str, list[str]]:
    """
    Return the names that the forms suggest, as far as this service knows them: topics without prefix, groups,
    receivers, event types and sources.
    """
    types, running = event_types(), workers()
    topics = {
        *(topic for subscribed in settings.subscriptions.values() for topic in subscribed),
        *(short_topic(topic) for one in running for topic in one.topics),
        *(route.topic for one in types for route in one.routes),
    }
    return {
        "topics": sorted(topics),
        "groups": sorted({*settings.subscriptions, *(one.group for one in running if one.group)}),
        "receivers": sorted({name for one in types for name in one.receivers}),
        "types": [one.event_type for one in types if one.receivers],
        "sources": _source_names(),
    }


def lacks_sources() -> bool:
    """
    Whether this service has no source for a backfill. False if sources cannot be imported, because the plan shows this
    error.
    """
    try:
        return not all_sources()
    except ConfigurationError:
        return False


def _source_names() -> list[str]:
    try:
        return list(all_sources())
    except ConfigurationError:  # the plan of a backfill shows this error
        return []


def _offsets(progress: RunProgress) -> Table:
    rows = [(f"{shown(one.topic)}:{one.partition}", one.start, one.end) for one in progress.places[:_SHOWN]]
    return Table(caption=_("Offsets"), columns=[_("Partition"), _("From"), _("To, exclusive")], rows=rows)


def _read(form: RunForm, name: str, parse: Callable[[str], Read], otherwise: str = "") -> Read | None:
    try:
        return parse(form.cleaned_data[name])
    except ValueError as error:
        form.add_error(name, otherwise or str(error))
        return None


def _found(named: Named, start: Target, end: Target) -> dict[Partition, Range]:
    with reader_for(_READER) as reader:
        return ranges(reader, partitions_of(reader, [named]), start, end)


def _posted(posted: QueryDict, named: Named) -> dict[Partition, Range]:
    """
    Return the posted offsets, which the previous page has shown. Return an empty mapping if there are none, or if they
    are invalid or belong to another topic than ``named``.
    """
    try:
        found = {(str(topic), _number(one)): _range(start, end) for topic, one, start, end in _as_rows(posted)}
    except (ValueError, TypeError, RecursionError):
        return {}
    topics = {topic for topic, _ in found}
    return found if topics in ({named.topic}, {full_topic(named.topic)}) else {}


def _range(start: Any, end: Any) -> Range:
    if _number(start) > _number(end):
        raise ValueError(start)
    return Range(start, end)


def _number(found: Any) -> int:
    if type(found) is not int or not 0 <= found <= _LARGEST:
        raise ValueError(found)
    return found


def _as_rows(posted: QueryDict) -> list[list[Any]]:
    rows = json.loads(posted.get(PLACES, "[]"))
    return rows if isinstance(rows, list) else []


def _as_text(found: dict[Partition, Range]) -> str:
    return json.dumps([[topic, number, one.start, one.end] for (topic, number), one in found.items()])
