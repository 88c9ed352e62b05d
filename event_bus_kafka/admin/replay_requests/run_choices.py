"""Texts on the plan of a run that repeat the user's choices, as this service has understood them."""

from __future__ import annotations

from django.utils.translation import gettext as _

from event_bus_kafka.admin.ages import moment_of
from event_bus_kafka.admin.replay_requests.run_progress_page import speed
from event_bus_kafka.admin.shapes import Cell, Facts
from event_bus_kafka.operations.group_offsets import Target
from event_bus_kafka.operations.requested_runs.run_requests import BackfillArguments, RunWish, TopicArguments
from event_bus_kafka.shown import shown

_MASKED = "***"


def topic_choices(wish: RunWish, arguments: TopicArguments, start: Target, end: Target) -> Facts:
    """Return the choices for a replay of a topic. The key is masked, because it may identify a person."""
    items: list[tuple[str, Cell]] = [
        (_("From"), _place(start)),
        (_("To, exclusive"), _place(end)),
        (_("Only this receiver"), shown(wish.receiver) or _("no: all that listen")),
        (_("Only this event type"), shown(arguments.event_type) if arguments.event_type else _("no: all")),
        (_("Only this key"), _MASKED if arguments.key else _("no: all")),
    ]
    return Facts(items=[*items, *_shared(wish)])


def backfill_choices(wish: RunWish, arguments: BackfillArguments) -> Facts:
    """Return the choices for a backfill."""
    token, limit = wish.progress.token, arguments.limit
    items: list[tuple[str, Cell]] = [
        (_("After the item with this token"), shown(token) if token else _("none: from the first")),
        (_("At most this many items"), _("all") if limit is None else f"{limit:,}"),
        (_("Group whose workers do it"), shown(wish.group) or _("any worker that has the source")),
    ]
    return Facts(items=[*items, *_shared(wish)])


def _shared(wish: RunWish) -> list[tuple[str, Cell]]:
    return [
        (_("Speed"), speed(wish.rate, _("events"))),
        (_("Stops after"), _("%(count)s failures in a row") % {"count": wish.stop_after}),
        (_("Reason"), shown(wish.reason) or _("none given")),
    ]


def _place(target: Target) -> str:
    if target.earliest:
        return _("the first record that is kept")
    if target.time is not None:
        return moment_of(target.time)
    if target.offset is not None:
        return _("offset %(offset)s") % {"offset": target.offset}
    return _("the end, when this plan was made")
