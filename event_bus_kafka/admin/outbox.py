"""
The page of outboxes. It shows waiting rows, held topics and parked rows. A user may release or discard parked rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import attrs
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from event_bus_kafka.admin import charts
from event_bus_kafka.admin.ages import age, ago, moment, moment_of
from event_bus_kafka.admin.pages import Page, beside, outside_transactions
from event_bus_kafka.admin.parked import confirm_and_change, discard, release
from event_bus_kafka.admin.shapes import Cell, Facts, Marked, Posting, Table
from event_bus_kafka.kafka import error_codes
from event_bus_kafka.models import Heartbeat, HistoryRow, OutboxRecord, ParkedRecord, Right
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
from event_bus_kafka.outbox.backlog import STALLED_AFTER
from event_bus_kafka.shown import shown
from event_bus_kafka.trouble import Trouble
from event_bus_kafka.wire.headers import text_of

_SHOWN = 100
"""Maximum number of parked rows that the page lists individually."""
_NAMES = ("topic", "code", "reason", "parked_at", "size", "headers")
_REMEDIES = {
    Trouble.MISSING: _(
        "The topic does not exist: create it (manage.py event_topics apply), or correct its name in "
        "EVENT_BUS_PRODUCER_CONFIG."
    ),
    Trouble.FORBIDDEN: _("Give the relay's user the right WRITE on the topic."),
}
"""Reason why a topic is held → the remedy. Other reasons have no remedy of their own."""


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
        asked = {one: beside(one)(f"database {one}", partial(_read, one, runs)) for one in named_outboxes(runs)}
        told = [one.wait() for one in asked.values()]
        may_release, may_discard = Right.OPERATE.is_given_to(request.user), Right.DISCARD.is_given_to(request.user)
        context = {
            "outboxes": [self._drawn(one, may_release, may_discard) for one in told if isinstance(one, _Read)],
            "silent": [one.server for one in told if isinstance(one, Unanswered)],
            "where_url": self.page_of(HistoryRow).url("where"),
            "events_url": self.page_of(HistoryRow).url(),
            "release_url": self.url("release") if may_release else "",
            "discard_url": self.url("discard") if may_discard else "",
        }
        return self.draw(request, "outbox", self.title, context)

    def release(self, request: HttpRequest) -> HttpResponse:
        """Ask for confirmation; once it is given, move the selected parked rows back into the outbox."""
        return confirm_and_change(self, request, release())

    def discard(self, request: HttpRequest) -> HttpResponse:
        """Ask for confirmation; once it is given, delete the selected parked rows permanently."""
        return confirm_and_change(self, request, discard())

    def _drawn(self, read: _Read, may_release: bool, may_discard: bool) -> dict[str, Any]:
        outbox, groups, names = read.outbox, read.groups, {"database": read.outbox.database}
        actions = [(gettext("Release"), "release")] * may_release + [(gettext("Discard"), "discard")] * may_discard
        rows: list[list[Cell]] = [
            [
                shown(one.topic),
                shown(one.code),
                _count(one.count),
                moment_of(one.since),
                shown(one.reason),
                *(self._posting(label, action, one, names) for label, action in actions),
            ]
            for one in groups
        ]
        parked = Table(
            caption=gettext("Parked, by topic and code"),
            columns=[
                gettext("Topic"),
                gettext("Code"),
                gettext("Events"),
                gettext("First parked"),
                gettext("Reason"),
                *(label for label, name in actions),
            ],
            rows=rows,
            empty=gettext("Nothing is parked."),
        )
        return {
            "database": outbox.database,
            "facts": _facts(outbox, sum(one.count for one in groups)),
            "depth": _depth(outbox),
            "held": _held(outbox),
            "parked": parked,
            "rows": list(_rows(read.parked)),
        }

    def _posting(self, label: str, action: str, group: ParkedGroup, names: dict[str, str]) -> Posting:
        return Posting(
            label=label,
            about=f"{group.topic} {group.code}",
            action=self.url(action),
            fields={"topic": group.topic, "code": group.code, **names},
        )


def _read(alias: str, runs: Sequence[WorkerRun]) -> _Read | None:
    """Read the data of the database ``alias``. Return None if the database has no outbox. Raises a database error."""
    if not has_outbox(alias):
        return None
    parked = ParkedRecord.objects.using(alias).order_by("pk").only(*_NAMES)
    return _Read(outbox=view(alias, runs), groups=parked_groups(alias), parked=list(parked[:_SHOWN]))


def _rows(parked: Iterable[ParkedRecord]) -> Iterator[dict[str, Any]]:
    for row in parked:
        packed = bytes(row.headers)
        yield {
            "id": row.pk,
            "event_type": shown(text_of(packed, "ce_type")),
            "event_id": shown(text_of(packed, "ce_id")),
            "topic": shown(row.topic),
            "code": shown(row.code),
            "reason": shown(row.reason),
            "parked": moment_of(row.parked_at),
            "size": "" if row.size is None else charts.count(row.size),
        }


def _facts(outbox: OutboxView, parked: int) -> Facts:
    items: list[tuple[str, Cell]] = []
    if outbox.depth is not None:
        counted = gettext("counted %(ago)s") % {"ago": ago(outbox.told)}
        items.append((gettext("Waiting"), f"{charts.count(sum(outbox.depth.values()))}, {counted}"))
    else:
        items.append((gettext("Waiting"), gettext("unknown: no running relay has counted them")))
    oldest = Marked(text=age(outbox.oldest_age), mark="bad" if outbox.oldest_age > STALLED_AFTER else "good")
    items.append((gettext("Oldest waits for"), oldest if outbox.oldest_age else gettext("none waits")))
    items.append((gettext("Parked"), Marked(text=_count(parked), mark="bad" if parked else "good")))
    items.append((gettext("Relays"), Marked(text=str(outbox.relays), mark="good" if outbox.relays else "bad")))
    return Facts(items=items)


def _depth(outbox: OutboxView) -> Table:
    by_topic = sorted((outbox.depth or {}).items(), key=lambda item: -item[1])
    return Table(
        caption=gettext("Waiting, by topic, of the first 100,000"),
        columns=[gettext("Topic"), gettext("Events")],
        rows=[[shown(topic), charts.count(rows)] for topic, rows in by_topic],
    )


def _held(outbox: OutboxView) -> Table:
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
                Marked(text=age(one.seconds), mark="bad"),
                moment(datetime.now(UTC) - timedelta(seconds=one.seconds)),
                shown(one.reason),
                _remedy(one.reason),
                one.relay,
            ]
            for one in outbox.held
        ],
        empty=gettext("No topic is held."),
    )


def _remedy(reason: str) -> str:
    """Return what the user should do about a topic that is held for ``reason``."""
    named = [row for row in error_codes.TABLE if row.code in reason]
    # The reason may seem to name several codes, since longer ones contain others, such as "_FAIL".
    found = _REMEDIES.get(max(named, key=lambda row: len(row.code)).trouble) if named else None
    return str(found or gettext("Mend what the reason names; the relay's log says more."))


def _count(count: int) -> str:
    text = charts.count(count)
    return gettext("%(count)s or more") % {"count": text} if count >= MOST_PARKED else text
