"""
The page of outboxes. It shows waiting rows, held topics and parked rows. A user may release or discard parked rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import attrs
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.translation import gettext

from event_bus_kafka.admin import charts
from event_bus_kafka.admin.ages import age, ago, moment, moment_of, unbroken
from event_bus_kafka.admin.outboxes.parked import confirm_and_change, discard, release
from event_bus_kafka.admin.outboxes.parked_row import COLUMNS, ShownRow
from event_bus_kafka.admin.outboxes.remedies import remedy_of_held, remedy_of_parked
from event_bus_kafka.admin.pages import Page, beside, outside_transactions
from event_bus_kafka.admin.readiness import readiness
from event_bus_kafka.admin.shapes import Cell, Command, Facts, Marked, Posting, Postings, Stacked, Table
from event_bus_kafka.admin.start_commands import start_relay
from event_bus_kafka.assembly.own_tables import own_tables
from event_bus_kafka.conf.settings import settings
from event_bus_kafka.models import Heartbeat, HistoryRow, OutboxRecord, ParkedRecord, Right
from event_bus_kafka.operations.neglects import catalogue
from event_bus_kafka.operations.neglects.catalogue import Neglect, NeglectKind, OwnTables
from event_bus_kafka.operations.neglects.of_outbox import neglects_of_outbox
from event_bus_kafka.operations.outboxes import (
    MOST_PARKED,
    OutboxView,
    ParkedGroup,
    has_outbox,
    named_outboxes,
    parked_groups,
    view,
)
from event_bus_kafka.operations.status.asking import Unanswered
from event_bus_kafka.operations.workers import WorkerRun, workers
from event_bus_kafka.outbox.backlog import MOST_WAITING
from event_bus_kafka.shown import shown

_SHOWN = 100
"""Maximum number of parked rows that the page lists individually."""


@attrs.frozen(kw_only=True)
class _Read:
    """
    The data of one outbox for the page. A thread reads the data without making texts of it, because threads know
    neither the user's language nor time zone.
    """

    outbox: OutboxView
    groups: Sequence[ParkedGroup]
    parked: Sequence[ParkedRecord]
    """The parked rows with the lowest ids, without keys and bodies."""
    neglects: Sequence[Neglect]

    def has(self, kind: NeglectKind, subject: str) -> bool:
        """Return whether ``neglects`` contains a neglect of the kind ``kind`` about ``subject``."""
        return any((one.kind, one.subject) == (kind, subject) for one in self.neglects)


class OutboxPage(Page):
    """
    The page of outboxes. For each outbox, it shows the number of rows, the age of the oldest row, held topics and
    parked rows.
    """

    tables = (OutboxRecord, ParkedRecord, Heartbeat)

    def below(self) -> Iterator[URLPattern]:
        yield outside_transactions(self.action_at("release/", self.release, "release", Right.OPERATE))
        yield outside_transactions(self.action_at("discard/", self.discard, "discard", Right.DISCARD))

    def show(self, request: HttpRequest) -> HttpResponse:
        runs = workers()
        read = partial(_read, own=own_tables(), runs=runs)
        asked = {one: beside(one)(f"database {one}", partial(read, one)) for one in named_outboxes(runs)}
        told = [one.wait() for one in asked.values()]
        may_release, may_discard = Right.OPERATE.is_given_to(request.user), Right.DISCARD.is_given_to(request.user)
        context = {
            "outboxes": [self._drawn(one, may_release, may_discard) for one in told if isinstance(one, _Read)],
            "silent": [one.server for one in told if isinstance(one, Unanswered)],
            "where_url": self.page_of(HistoryRow).url("where"),
            "retention": f"{settings.retention:g}",
            "events_url": self.page_of(HistoryRow).url(),
            "release_url": self.url("release") if may_release else "",
            "discard_url": self.url("discard") if may_discard else "",
        }
        return self.draw(request, "outbox", self.title, context)

    def release(self, request: HttpRequest) -> HttpResponse:
        """
        Move the selected parked rows back into the outbox if the POST is confirmed; otherwise ask for confirmation.
        """
        return confirm_and_change(self, request, release())

    def discard(self, request: HttpRequest) -> HttpResponse:
        """Delete the selected parked rows permanently if the POST is confirmed; otherwise ask for confirmation."""
        return confirm_and_change(self, request, discard())

    def _drawn(self, read: _Read, may_release: bool, may_discard: bool) -> dict[str, Any]:
        count = sum(one.count for one in read.groups)
        return {
            "database": read.outbox.database,
            "neglects": [(one, moment(one.since) if one.since else "") for one in read.neglects],
            "facts": _facts(read, count),
            "depth": _depth(read.outbox),
            "held": _held(read),
            "parked": self._parked(read, may_release, may_discard),
            "rows": [ShownRow.of(row) for row in read.parked],
            "are_all": count <= _SHOWN,
        }

    def _parked(self, read: _Read, may_release: bool, may_discard: bool) -> Table:
        releases = [(gettext("Release …"), "release")] * may_release
        actions = [*releases, *[(gettext("Discard …"), "discard")] * may_discard]
        rows: list[list[Cell]] = [
            [
                shown(one.topic),
                _count(one.count),
                moment_of(one.since),
                Stacked(cells=[shown(one.code), shown(one.reason)]),
                remedy_of_parked(one.code, one.size),
                *([self._postings(actions, one, read.outbox.database)] if actions else ()),
            ]
            for one in read.groups
        ]
        return Table(
            caption=gettext("Parked, by topic and code"),
            columns=[
                gettext("Topic"),
                gettext("Events"),
                gettext("First parked"),
                gettext("Code and reason"),
                gettext("What to do"),
                *([gettext("Actions")] if actions else ()),
            ],
            rows=rows,
            empty=gettext("Nothing is parked."),
        )

    def _postings(self, actions: Sequence[tuple[str, str]], group: ParkedGroup, database: str) -> Postings:
        about, fields = f"{group.topic} {group.code}", {"topic": group.topic, "code": group.code, "database": database}
        return Postings(
            postings=[
                Posting(label=label, about=about, action=self.url(name), fields=fields, is_final=name == "discard")
                for label, name in actions
            ]
        )


def _read(alias: str, *, own: OwnTables, runs: Sequence[WorkerRun]) -> _Read | None:
    """Read the data of the database ``alias``. Return None if the database has no outbox. Raises a database error."""
    if not has_outbox(alias):
        return None
    parked = ParkedRecord.objects.using(alias).order_by("pk").only(*COLUMNS)
    return _Read(
        outbox=view(alias, runs),
        groups=parked_groups(alias),
        parked=list(parked[:_SHOWN]),
        neglects=neglects_of_outbox(alias, own, runs),
    )


def _facts(read: _Read, parked: int) -> Facts:
    ends = read.has(catalogue.PARKED_ROWS_END, read.outbox.database)
    mark = "bad" if ends else "idle" if parked else "good"
    return Facts(
        items=[
            (gettext("Waiting"), _waiting(read.outbox)),
            (gettext("Oldest waits for"), _oldest(read.outbox)),
            (gettext("Parked"), Marked(text=_count(parked), mark=mark)),
            (gettext("Relays"), _relays(read.outbox)),
        ]
    )


def _waiting(outbox: OutboxView) -> str:
    if outbox.depth is None:
        return gettext("unknown: %(why)s") % {"why": _why_unknown()}
    count = sum(outbox.depth.values())
    number = gettext("%(count)s or more") if count >= MOST_WAITING else "%(count)s"
    return gettext("%(number)s, counted %(ago)s") % {
        "number": number % {"count": charts.count(count)},
        "ago": ago(outbox.told),
    }


def _oldest(outbox: OutboxView) -> Cell:
    if not outbox.oldest_age:
        return gettext("none waits")
    is_late = outbox.oldest_age > catalogue.OUTBOX_AFTER.total_seconds()
    mark = "idle" if outbox.held else "good"
    return Marked(text=unbroken(age(outbox.oldest_age)), mark="bad" if is_late else mark)


def _relays(outbox: OutboxView) -> Cell:
    if not settings.heartbeat:
        return gettext("unknown: %(why)s") % {"why": _why_unknown()}
    if not outbox.relays:
        return Marked(text=f"{gettext('None runs.')} {start_relay()}", mark="idle")
    return readiness(outbox.relays)


def _why_unknown() -> str:
    if settings.heartbeat:
        return gettext("no running relay has counted them")
    return gettext("EVENT_BUS_KAFKA_HEARTBEAT is 0, so relays report nothing")


def _depth(outbox: OutboxView) -> Table:
    by_topic = sorted((outbox.depth or {}).items(), key=lambda item: -item[1])
    caption = gettext("Waiting, by topic")
    if sum(rows for _, rows in by_topic) >= MOST_WAITING:
        caption = gettext("Waiting, by topic (only %(count)s were counted)") % {"count": charts.count(MOST_WAITING)}
    return Table(
        caption=caption,
        columns=[gettext("Topic"), gettext("Events")],
        rows=[[shown(topic), charts.count(rows)] for topic, rows in by_topic],
    )


def _held(read: _Read) -> Table:
    return Table(
        caption=gettext("Held topics"),
        columns=[
            gettext("Topic"),
            gettext("Held for"),
            gettext("Since"),
            gettext("Reason"),
            gettext("What to do"),
            gettext("Relay"),
        ],
        rows=[
            [
                shown(one.topic),
                Marked(
                    text=unbroken(age(one.seconds)), mark="bad" if read.has(catalogue.TOPIC_HELD, one.topic) else "idle"
                ),
                moment(datetime.now(UTC) - timedelta(seconds=one.seconds)),
                shown(one.reason),
                _what_to_do(one.reason),
                one.relay,
            ]
            for one in read.outbox.held
        ],
        empty=gettext("No topic is held."),
    )


def _what_to_do(reason: str) -> Cell:
    remedy = remedy_of_held(reason)
    if not remedy.command:
        return str(remedy.sentence)
    return Stacked(cells=[str(remedy.sentence), Command(command=remedy.command), str(remedy.more)])


def _count(count: int) -> str:
    text = charts.count(count)
    return gettext("%(count)s or more") % {"count": text} if count >= MOST_PARKED else text
