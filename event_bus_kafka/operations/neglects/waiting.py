"""
Finds everything that waits for an operator, however briefly. A neglect, in contrast, has lasted for some time. Import
this module only if the app is installed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs

from event_bus_kafka.models import DeadLetter
from event_bus_kafka.operations.neglects.catalogue import OUTBOX_AFTER
from event_bus_kafka.operations.neglects.reading import (
    LETTERS,
    PAUSES,
    LetterRows,
    OutboxRows,
    PauseRows,
    alias_with,
    database_of,
)
from event_bus_kafka.operations.neglects.wording import MOST_COUNTED
from event_bus_kafka.operations.status.asking import Questions, Unanswered, each_once
from event_bus_kafka.operations.workers import WorkerRun

_TOPICS = "topics of dead letters"
_NAMED = 100
"""
Maximum number of dead letters, oldest first, whose topics are read, because reading rows with large events is slow.
"""


@attrs.frozen(kw_only=True)
class WaitingRows:
    """Rows of one kind that wait. ``count`` is at most :data:`MOST_COUNTED`."""

    count: int = 0
    names: Sequence[str] = ()
    """Names of the topics or receivers of these rows."""
    oldest: float | None = None
    """Number of seconds for which the oldest of these rows has waited; None: no row waits."""


@attrs.frozen(kw_only=True)
class WaitingTopic:
    """A topic to which relays cannot send at present."""

    topic: str
    reason: str
    seconds: float
    """Seconds since a relay began to hold the topic. If several relays hold the topic, the longest of these times."""


@attrs.frozen(kw_only=True)
class Waiting:
    """Everything that waits for an operator, in the databases that answered."""

    letters: WaitingRows
    """Dead letters, with the topics of the oldest of them."""
    parked: WaitingRows
    """Parked rows, with their topics."""
    paused: WaitingRows
    """Paused receivers."""
    outboxes: Mapping[str, float]
    """
    Alias of a database → seconds for which the oldest row of its outbox has waited. Contains only outboxes in which
    this time is longer than :data:`OUTBOX_AFTER`.
    """
    held: Sequence[WaitingTopic]
    """Topics that running relays hold. If several relays hold a topic for the same reason, it is listed once."""
    unserved: Sequence[str]
    """Subscribed groups without a running worker."""
    unanswered: Sequence[Unanswered]
    """Databases that did not answer. Their rows are not counted."""


def questions() -> Questions:
    """Return the question that :func:`waiting` needs in addition to those of :mod:`.reading`."""
    return {_TOPICS: (database_of(DeadLetter), _topics_of_letters)}


def waiting(answers: Mapping[str, Any], *, groups: Collection[str], runs: Sequence[WorkerRun]) -> Waiting:
    """
    Return everything that waits for an operator. A missing table counts as empty. ``answers``: answers to
    :func:`questions` and :func:`.reading.questions`. ``groups``: subscribed groups, each of which needs a worker.
    ``runs``: workers and relays, by their heartbeats.
    """
    alive = [run for run in runs if run.is_alive]
    outboxes = [one for one in answers.values() if isinstance(one, OutboxRows)]
    return Waiting(
        letters=_letters(answers[LETTERS], answers[_TOPICS]),
        parked=_parked(outboxes),
        paused=_paused(answers[PAUSES]),
        outboxes={one.alias: age for one in outboxes if (age := _age(one.oldest, one.now)) > _OUTBOX_AFTER},
        held=list(_held(alive)),
        unserved=sorted(set(groups) - {run.group for run in alive if run.kind == "consumer"}),
        unanswered=each_once(one for one in answers.values() if isinstance(one, Unanswered)),
    )


_OUTBOX_AFTER = OUTBOX_AFTER.total_seconds()


def _held(alive: Iterable[WorkerRun]) -> Iterator[WaitingTopic]:
    longest: dict[tuple[str, str], float] = {}
    for run in alive:
        for one in run.state.get("held_topics", ()):
            name = one["topic"], one["reason"]
            longest[name] = max(longest.get(name, 0.0), one["seconds"] + run.silence)
    for (topic, reason), seconds in sorted(longest.items()):
        yield WaitingTopic(topic=topic, reason=reason, seconds=seconds)


def _letters(found: object, topics: object) -> WaitingRows:
    if not isinstance(found, LetterRows) or not found.failed:
        return WaitingRows()
    names = topics if isinstance(topics, list) else []
    return WaitingRows(count=len(found.failed), names=names, oldest=_age(found.failed[0], found.now))


def _parked(outboxes: Sequence[OutboxRows]) -> WaitingRows:
    ages = [_age(since, one.now) for one in outboxes for _, since in one.parked]
    topics = _most_common(topic for one in outboxes for topic, _ in one.parked)
    return WaitingRows(count=min(len(ages), MOST_COUNTED), names=topics, oldest=max(ages, default=None))


def _paused(found: object) -> WaitingRows:
    if not isinstance(found, PauseRows) or not found.paused:
        return WaitingRows()
    names = [receiver for receiver, _ in found.paused]
    return WaitingRows(count=len(names), names=names, oldest=_age(found.paused[0][1], found.now))


def _topics_of_letters() -> list[str] | None:
    """Return the topics of the oldest dead letters. Raises a database error."""
    alias = alias_with(DeadLetter)
    if alias is None:
        return None
    oldest = DeadLetter.objects.using(alias).order_by("last_failed_at").values_list("topic", flat=True)
    return _most_common(oldest[:_NAMED])


def _most_common(names: Iterable[str]) -> list[str]:
    return [name for name, _ in Counter(names).most_common()]


def _age(since: datetime, now: datetime) -> float:
    return max((now - since).total_seconds(), 0.0)
