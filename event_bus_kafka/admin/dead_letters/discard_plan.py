"""Texts that are shown before and after a user discards dead letters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from event_bus_kafka.admin.actions import ActionPlan
from event_bus_kafka.admin.dead_letters.in_replays import warnings
from event_bus_kafka.admin.dead_letters.meant import Meant
from event_bus_kafka.admin.shapes import Posting, Table
from event_bus_kafka.operations.dead_letters.discarding import Discarded, DiscardPlan
from event_bus_kafka.operations.dead_letters.paging import Count
from event_bus_kafka.operations.requested_runs.open_replays import OpenReplay
from event_bus_kafka.shown import shown

_NAMES_IN_HISTORY = 5


def action_plan(
    plan: DiscardPlan, meant: Meant, replays: Sequence[OpenReplay], *, before: Discarded | None, replay_url: str
) -> ActionPlan:
    """
    Return the confirmation page of a discard of the letters ``meant``. ``replays``: the replay requests that have still
    to replay some of these letters. ``before``: the result of the previous HTTP request, if that request had not enough
    time for all letters; otherwise None. ``replay_url``: the URL of the page that plans a replay; empty: the user may
    not replay.
    """
    letters = number_of(plan.count)
    said = [
        meant.sentence,
        _("%(letters)s will be deleted for good, events included.") % {"letters": letters},
        *warnings(replays),
        _never_again(plan.count),
        _("A letter that fails again before you confirm stays."),
        *several_receivers(plan.receivers.values(), plan.count),
    ]
    if before:
        done = _("%(done)s are deleted. There was not enough time for all in one go: %(left)s are left.")
        said.insert(0, done % {"done": number_of(_exact(before.number)), "left": letters})
    return ActionPlan(
        title=_("Discard dead letters"),
        sentences=said,
        button=_("Discard %(letters)s") % {"letters": letters},
        tables=[
            Table(
                caption=_("Receivers that have still to succeed"),
                columns=[_("Receiver"), _("Letters")],
                rows=[(shown(name) or _("no receiver ran"), number) for name, number in plan.receivers.items()],
            ),
            Table(
                caption=_("Where they are from"),
                columns=[_("Group"), _("Topic"), _("Letters")],
                rows=[(shown(group), shown(topic), number) for (group, topic), number in plan.records.items()],
            ),
        ],
        is_final=True,
        instead=Posting(label=_("Replay instead …"), action=replay_url) if replay_url else None,
    )


def several_receivers(by_receiver: Iterable[int], letters: Count) -> list[str]:
    """
    Return a sentence that explains why the numbers of letters by receiver add up to more than ``letters``; no sentence
    if they do not.
    """
    if sum(by_receiver) <= letters.number:
        return []
    return [
        _(
            "A dead letter can have several receivers, so the numbers by receiver add up to more than %(letters)s. "
            "Discarding it ends it for all of them."
        )
        % {"letters": number_of(letters)}
    ]


def _never_again(count: Count) -> str:
    return ngettext(
        "This cannot be undone. The receivers below will never handle this event, unless the topic still has it and "
        "is replayed. If a receiver has been mended, replay the dead letter instead.",
        "This cannot be undone. The receivers below will never handle these %(count)s events, unless the topic still "
        "has them and is replayed. If a receiver has been mended, replay the dead letters instead.",
        count.number,
    ) % {"count": str(count)}


def done_words(done: Discarded, meant: Meant) -> str:
    """Return the line for the message to the user and for the history: the action and the number of letters."""
    words = _("Discarded %(letters)s (%(meant)s). Receivers: %(receivers)s.") % {
        "letters": number_of(_exact(done.number)),
        "meant": meant.words,
        "receivers": _names(done.receivers),
    }
    if done.problem:
        return words + _(" Then the database failed: %(problem)s.") % {"problem": done.problem}
    if done.left.number:
        words += _(" Left: %(left)s.") % {"left": number_of(done.left)}
    return words


def number_of(count: Count) -> str:
    """Return the number of dead letters with its noun, such as ``3 dead letters``."""
    return ngettext("%(count)s dead letter", "%(count)s dead letters", count.number) % {"count": str(count)}


def _exact(number: int) -> Count:
    return Count(number=number, is_more=False)


def _names(receivers: Mapping[str, int]) -> str:
    named = [f"{shown(name) or _('no receiver ran')} ({number})" for name, number in receivers.items()]
    more = len(named) - _NAMES_IN_HISTORY
    shown_names = ", ".join(named[:_NAMES_IN_HISTORY]) or _("none")
    return f"{shown_names}, +{more}" if more > 0 else shown_names
