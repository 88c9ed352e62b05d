"""The tables of receivers and of pauses, with the buttons that pause and resume receivers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.utils.timezone import get_default_timezone, is_naive, make_aware
from django.utils.translation import gettext

from event_bus_kafka.admin.ages import moment
from event_bus_kafka.admin.shapes import Cell, Command, Linked, Marked, Posting, Stacked, Table, lines
from event_bus_kafka.admin.start_commands import no_heartbeats
from event_bus_kafka.admin.workers.pending_letters import PendingLetters
from event_bus_kafka.admin.workers.slow_calls import SLOW_PART
from event_bus_kafka.conf.settings import settings
from event_bus_kafka.models import Heartbeat, PausedReceiver
from event_bus_kafka.operations.groups import ReceiverView
from event_bus_kafka.operations.neglects.catalogue import PAUSED_AFTER
from event_bus_kafka.shown import shown


def receivers_table(several: Sequence[ReceiverView], letters: PendingLetters, urls: Mapping[str, str]) -> Table:
    """
    Return the table of receivers. ``letters``: their dead letters. ``urls``: the URLs of the actions ``pause`` and
    ``resume``; empty: there are no buttons.
    """
    users = _users_who_paused([one.pause for one in several if one.pause])
    columns = [gettext("Receiver"), gettext("Events"), gettext("State")]
    rows: list[list[Cell]] = [
        [shown(one.name), lines(one.event_types), receiver_state(one, letters, users)] for one in several
    ]
    if urls:
        columns.append(gettext("Change"))
        for row, one in zip(rows, several, strict=True):
            row.append(_button(one.name, urls, is_paused=bool(one.pause)))
    return Table(
        caption=gettext("Receivers of this service"),
        columns=columns,
        rows=rows,
        empty=gettext("No receiver listens to an event here."),
    )


def pauses_table(pauses: Sequence[PausedReceiver], urls: Mapping[str, str]) -> Table:
    """Return the table of a group's paused receivers. ``urls``: as for :func:`receivers_table`."""
    users = _users_who_paused(pauses)
    rows: list[list[Cell]] = [
        [shown(one.receiver), Marked(text=moment(one.paused_at), mark=pause_mark(one.paused_at)), *_about(one, users)]
        for one in pauses
    ]
    columns = [gettext("Receiver"), gettext("Paused since"), gettext("Paused by"), gettext("Reason of the pause")]
    if urls:
        columns.append(gettext("Change"))
        for row, one in zip(rows, pauses, strict=True):
            row.append(_button(one.receiver, urls, is_paused=True))
    return Table(caption=gettext("Paused receivers"), columns=columns, rows=rows)


def receiver_state(
    receiver: ReceiverView,
    letters: PendingLetters,
    users: Mapping[str, str] | None = None,
    workers_url: str = "",
) -> Stacked:
    """
    Return the receiver's state, with a link to its dead letters. ``users``: paused receiver → the user who paused it;
    None: the cell says neither who paused the receiver nor why. ``workers_url``: URL of the page of workers; empty: the
    cell is on that page.
    """
    link = letters.link(receiver.name)
    cells: list[str | Command | Linked | Marked] = [_marked(receiver, workers_url, has_letters=bool(link))]
    if receiver.pause and users is not None:
        user, reason = _about(receiver.pause, users)
        cells.append(gettext("by %(user)s: %(reason)s") % {"user": user, "reason": reason})
    return Stacked(cells=[*cells, *([link] if link else [])])


def _marked(receiver: ReceiverView, workers_url: str, *, has_letters: bool) -> Marked:
    slow_url = f"{workers_url}{SLOW_PART}"
    if receiver.pause:
        since = moment(receiver.pause.paused_at)
        return Marked(
            text=gettext("paused since %(time)s") % {"time": since}, mark=pause_mark(receiver.pause.paused_at)
        )
    if receiver.has_open_circuit:
        return Marked(text=gettext("circuit open: its events are held"), mark="bad")
    if receiver.is_slow:
        return Marked(text=gettext("slow"), mark="bad", url=slow_url)
    if receiver.has_worker and receiver.slow_beside:
        text = gettext("receives; %(receiver)s, which gets the same events, is slow")
        return Marked(text=text % {"receiver": shown(receiver.slow_beside)}, mark="idle", url=slow_url)
    if receiver.has_worker:
        return Marked(text=gettext("receives"), mark="idle" if has_letters else "good")
    if not settings.heartbeat:
        return Marked(text=no_heartbeats(), mark="idle")
    return Marked(text=gettext("no worker runs"), mark="idle")


def pause_mark(paused_at: datetime) -> str:
    """Return the mark of a pause, which is bad once the overview calls the pause neglected."""
    return "bad" if datetime.now(UTC) - paused_at > PAUSED_AFTER else "idle"


def _about(pause: PausedReceiver, users: Mapping[str, str]) -> list[str]:
    """Return who paused a receiver, and the reason."""
    by_command = gettext("event_bus_pause (who is not known)")
    return [users.get(pause.receiver, by_command), shown(pause.said_reason) or gettext("no reason was given")]


def _button(receiver: str, urls: Mapping[str, str], *, is_paused: bool) -> Cell:
    label = gettext("Resume …") if is_paused else gettext("Pause …")
    action = urls["resume" if is_paused else "pause"]
    return Posting(label=label, about=receiver, action=action, fields={"receiver": receiver})


def _users_who_paused(pauses: Sequence[PausedReceiver]) -> dict[str, str]:
    """
    Return paused receiver → name of the user who paused it, from Django's history. A receiver that was paused by a
    command is missing.
    """
    if not pauses:
        return {}
    since = {one.receiver: one.paused_at for one in pauses}
    entries = LogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(Heartbeat), object_id__in=since
    ).select_related("user")
    return {
        one.object_id: one.user.get_username()
        for one in entries
        if one.object_id in since and _aware(one.action_time) >= since[one.object_id]
    }


def _aware(time: datetime) -> datetime:
    return make_aware(time, get_default_timezone()) if is_naive(time) else time
