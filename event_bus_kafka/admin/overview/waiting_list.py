"""The overview's list of everything that waits until a user acts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs
from django.db.models import Model
from django.utils.translation import gettext, ngettext

from event_bus_kafka.admin import charts
from event_bus_kafka.admin.ages import age
from event_bus_kafka.admin.outboxes.remedies import remedy_of_held
from event_bus_kafka.admin.pages import Page
from event_bus_kafka.admin.shapes import Linked
from event_bus_kafka.models import DeadLetter, Heartbeat, ParkedRecord
from event_bus_kafka.operations.neglects.waiting import Waiting, WaitingRows
from event_bus_kafka.operations.neglects.wording import MOST_COUNTED
from event_bus_kafka.operations.workers import WorkerRun, worker_command
from event_bus_kafka.shown import shown

_NAMED = 3
"""Maximum number of names in an entry."""


@attrs.frozen(kw_only=True)
class WaitingItem:
    """An entry of the list."""

    text: str
    model: type[Model]
    """The model to whose page the entry links. There a user can act, or finds the command that helps."""
    command: str = ""
    """The command that a user should run; empty: the entry shows no command, because the page is enough."""
    group: str | None = None
    """The group to whose page the entry links; None: the entry links to the page of ``model``."""


def items_of(found: Waiting, runs: Sequence[WorkerRun]) -> Iterator[WaitingItem]:
    """
    Yield the entries: dead letters, parked events, held topics, paused receivers, and groups without a running worker.
    Yield nothing if nothing waits. ``runs``: the workers and relays of the last day.
    """
    if found.letters.count:
        text = ngettext("%(count)s dead letter", "%(count)s dead letters", found.letters.count)
        yield WaitingItem(text=_text(text, found.letters), model=DeadLetter)
    if found.parked.count:
        text = ngettext("%(count)s parked event", "%(count)s parked events", found.parked.count)
        yield WaitingItem(text=_text(text, found.parked), model=ParkedRecord)
    for held in found.held:
        remedy = remedy_of_held(held.reason)
        text = gettext("A relay has held the topic %(topic)s for %(age)s: %(reason)s. %(remedy)s")
        told = {"topic": shown(held.topic), "age": age(held.seconds), "reason": shown(held.reason).rstrip(".")}
        yield WaitingItem(text=text % {**told, "remedy": remedy.sentence}, model=ParkedRecord, command=remedy.command)
    if found.paused.count:
        text = ngettext("%(count)s paused receiver", "%(count)s paused receivers", found.paused.count)
        yield WaitingItem(text=_text(text, found.paused), model=Heartbeat)
    for group in found.unserved:
        silences = [run.silence for run in runs if run.kind == "consumer" and run.group == group]
        text = gettext("No worker has run for the group %(group)s for %(age)s: it receives nothing. Start one:")
        if not silences:
            text = gettext("No worker has run for the group %(group)s within a day: it receives nothing. Start one:")
        text %= {"group": shown(group), "age": age(min(silences, default=0.0))}
        yield WaitingItem(text=text, model=Heartbeat, command=worker_command(group), group=group)


def named(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are."""
    text, more = ", ".join(map(shown, names[:_NAMED])), len(names) - _NAMED
    return gettext("%(names)s and %(count)d more") % {"names": text, "count": more} if more > 0 else text


def link_to_group(workers: Page, group: str) -> Linked:
    """Return a link to a group's page, which is below the page ``workers``."""
    return Linked(text=gettext("Group %(name)s") % {"name": shown(group)}, url=workers.url("group", group))


def _text(counted: str, rows: WaitingRows) -> str:
    number = charts.count(rows.count)
    if rows.count >= MOST_COUNTED:
        number = gettext("%(count)s or more") % {"count": number}
    text, names = counted % {"count": number}, named(rows.names)
    oldest = ngettext("for %(age)s", "the oldest for %(age)s", rows.count) % {"age": age(rows.oldest or 0.0)}
    return f"{text}, {oldest}: {names}" if names else f"{text}, {oldest}"
