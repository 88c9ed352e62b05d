"""
The receivers that a replay of a topic would call, as far as this service knows. Workers of the group decide for each
record, by the record's event type, which receivers they call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import attrs
from django.db import connections, router
from django.utils.translation import gettext as _

from event_bus_kafka.admin.ages import moment
from event_bus_kafka.admin.shapes import Cell, Marked, Table, lines
from event_bus_kafka.admin.workers.receivers_table import pause_mark
from event_bus_kafka.conf.routes import full_topic
from event_bus_kafka.models import PausedReceiver
from event_bus_kafka.models.presence import were_found
from event_bus_kafka.operations.event_catalogue import EventTypeView, event_types
from event_bus_kafka.operations.pauses import paused_receivers
from event_bus_kafka.operations.record_replay import listening
from event_bus_kafka.operations.requested_runs.run_requests import TopicArguments
from event_bus_kafka.shown import shown
from event_bus_kafka.wire.deletion import record_deleted


@attrs.frozen(kw_only=True)
class CalledReceivers:
    """The receivers that a replay would call."""

    event_types: Mapping[str, Sequence[str]]
    """Receiver → the event types for which the replay would call it."""
    paused: Mapping[str, datetime]
    """Paused receiver → time of the pause."""

    @classmethod
    def of(cls, arguments: TopicArguments, receiver: str) -> CalledReceivers:
        """
        Return the receivers that a replay with ``arguments`` would call. ``receiver``: the only receiver that the user
        has chosen; empty: all. Raises a database error.
        """
        found: dict[str, list[str]] = {}
        for event_type in _event_types(arguments):
            for name in listening(event_type, receiver or None).receivers:
                found.setdefault(name, []).append(event_type)
        paused = _paused() if found else {}
        return cls(event_types=found, paused={name: since for name, since in paused.items() if name in found})


def receivers_table(arguments: TopicArguments, called: CalledReceivers) -> Table:
    """Return a table with the receivers that a replay would call."""
    rows: list[list[Cell]] = [
        [shown(name), lines(map(shown, called.event_types[name])), _state(called.paused.get(name))]
        for name in sorted(called.event_types)
    ]
    caption = _("Receivers that would run, as far as this service knows")
    if arguments.event_type is None:
        caption = _("Receivers that may run")
    return Table(
        caption=caption,
        columns=[_("Receiver"), _("Events"), _("State")],
        rows=rows,
        empty=_nobody(arguments),
    )


def basis(arguments: TopicArguments, receiver: str) -> str:
    """
    Return a sentence that says for which event types the table lists receivers, or that this service does not know the
    event types of the topic. ``receiver``: as for :meth:`CalledReceivers.of`.
    """
    if arguments.event_type is not None:
        return _("The table has the receivers of the chosen event type: %(type)s.") % {
            "type": shown(arguments.event_type)
        }
    if sent := _sent_to(arguments.topic, event_types()):
        words = _("The table has the receivers of the topic's event types in the settings of this service: %(types)s.")
        return words % {"types": ", ".join(sent)}
    if receiver:
        return _(
            "The settings of this service do not say which event types the topic has. The receiver runs for its own "
            "types."
        )
    return _(
        "The settings of this service do not say which event types the topic has: workers see it record by record. Of "
        "the receivers below, those run that listen to a record's type. To limit it, choose an event type."
    )


def _event_types(arguments: TopicArguments) -> list[str]:
    if arguments.event_type is not None:
        return [arguments.event_type]
    known = event_types()
    sent = _sent_to(arguments.topic, known)
    # Each topic may have tombstones, which have no event type of their own.
    return [*sent, record_deleted.event_type] if sent else [one.event_type for one in known]


def _sent_to(topic: str, known: list[EventTypeView]) -> list[str]:
    return [one.event_type for one in known if any(full_topic(route.topic) == topic for route in one.routes)]


def _nobody(arguments: TopicArguments) -> str:
    if arguments.event_type is not None and (reason := listening(arguments.event_type, None).reason):
        return _("No receiver would run, as far as this service knows: %(reason)s.") % {"reason": reason}
    return _("No receiver would run, as far as this service knows.")


def _state(paused_at: datetime | None) -> Cell:
    if paused_at is None:
        return _("not paused")
    return Marked(text=_("paused since %(time)s") % {"time": moment(paused_at)}, mark=pause_mark(paused_at))


def _paused() -> Mapping[str, datetime]:
    """Return paused receiver → time of the pause; an empty mapping if the table of pauses is missing."""
    if not were_found(connections[router.db_for_write(PausedReceiver)], PausedReceiver):
        return {}
    return {one.receiver: one.paused_at for one in paused_receivers()}
