"""
Releases or discards parked rows. A page first shows the plan. After the confirmation, each HTTP request changes rows
for a limited time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import attrs
from django.contrib import messages
from django.db.models import Count, Max, Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext, ngettext

from event_bus_kafka.admin import charts
from event_bus_kafka.admin.actions import CONFIRMED, ActionPlan, ask, write_history
from event_bus_kafka.admin.outboxes.parked_row import COLUMNS, ShownRow
from event_bus_kafka.admin.outboxes.remedies import remedy_of_parked
from event_bus_kafka.admin.pages import Page
from event_bus_kafka.admin.shapes import Table
from event_bus_kafka.kafka import error_codes
from event_bus_kafka.models import ParkedRecord
from event_bus_kafka.models.outbox import ParkedRecordQuerySet
from event_bus_kafka.operations.outboxes import has_outbox, named_outboxes, slice_of
from event_bus_kafka.operations.workers import workers
from event_bus_kafka.shown import shown

_SECONDS = 10.0
"""
One HTTP request changes rows for about this number of seconds. If rows remain, the next page asks whether to continue.
"""
_SHOWN = 100
"""Maximum number of rows that the page lists."""
_LAST = "last"
"""Name of the form field that contains the value of :attr:`Selected.last`."""
_TOO_LARGE = Q(code=error_codes.MSG_SIZE_TOO_LARGE)
_LONGEST_NUMBER = 19
"""A posted number must have fewer digits than this, so that a column of the database can hold it."""


@attrs.frozen(kw_only=True)
class ParkedChange:
    """An action on parked rows: the release or the discard."""

    title: str
    sentences: Callable[[int], Sequence[str]]
    """Returns sentences for the page that asks for confirmation. The argument is the number of rows."""
    button: Callable[[int], str]
    done: Callable[[int], str]
    """Returns a sentence about the result. The argument is the number of changed rows."""
    batches: Callable[[ParkedRecordQuerySet], Iterator[int]]
    """Changes the rows, and yields after each batch how many were changed."""
    is_final: bool = False


def release() -> ParkedChange:
    """Return the action that moves parked rows back into the outbox."""
    return ParkedChange(
        title=gettext("Release parked events"),
        sentences=lambda count: [
            ngettext("%s parked event would be released.", "%s parked events would be released.", count)
            % charts.count(count),
            ngettext(
                "It goes back to its place in the outbox, and is sent before later events that still wait. Later "
                "events of its key may have been sent already: receivers then get this one after them.",
                "They go back to their places in the outbox, and are sent before later events that still wait. Later "
                "events of their keys may have been sent already: receivers then get these after them.",
                count,
            ),
            gettext("What Kafka still refuses is parked again."),
        ],
        button=lambda count: ngettext("Release %s event", "Release %s events", count) % charts.count(count),
        done=lambda count: (
            ngettext("Released %s parked event.", "Released %s parked events.", count) % charts.count(count)
        ),
        batches=ParkedRecordQuerySet.release_in_batches,
    )


def discard() -> ParkedChange:
    """Return the action that deletes parked rows permanently."""
    return ParkedChange(
        title=gettext("Discard parked events"),
        sentences=lambda count: [
            ngettext(
                "%s parked event would be deleted for good: it is never sent.",
                "%s parked events would be deleted for good: they are never sent.",
                count,
            )
            % charts.count(count)
        ],
        button=lambda count: ngettext("Discard %s event", "Discard %s events", count) % charts.count(count),
        done=lambda count: (
            ngettext("Discarded %s parked event.", "Discarded %s parked events.", count) % charts.count(count)
        ),
        batches=ParkedRecordQuerySet.discard_in_batches,
        is_final=True,
    )


def confirm_and_change(page: Page, request: HttpRequest, change: ParkedChange) -> HttpResponse:
    """
    If the POST is confirmed, change the posted rows for about :data:`_SECONDS`; otherwise ask for confirmation. If rows
    remain after this time, ask whether to continue. Each confirmed HTTP request writes its result to Django's history.
    """
    selected = Selected.of(request)
    if selected is None:
        messages.warning(request, gettext("Nothing was done: tick parked events first."))
        return HttpResponseRedirect(page.url())
    if CONFIRMED not in request.POST or not selected.count:
        return ask(page, request, _plan(change, selected))
    done = slice_of(change.batches(selected.rows), seconds=_SECONDS)
    words = change.done(done.number)
    if done.problem:
        words += gettext(" Then the database failed: %(problem)s.") % {"problem": done.problem}
    write_history(request, page, words)
    if not done.is_last and (left := Selected.of(request)) and left.count:
        return ask(page, request, _plan(change, left, before=words))
    messages.add_message(request, messages.ERROR if done.problem else messages.SUCCESS, words)
    return HttpResponseRedirect(page.url())


def _plan(change: ParkedChange, selected: Selected, before: str = "") -> ActionPlan:
    """
    Return the page that asks for confirmation. ``before``: sentence about the result of the previous HTTP request;
    empty for the first one.
    """
    rows = list(selected.rows.order_by("pk").only(*COLUMNS)[:_SHOWN])
    if not selected.count:
        sentences = [gettext("None of these events is parked any more: somebody has released or discarded them.")]
    else:
        sentences = [*change.sentences(selected.count), *(() if change.is_final else _remedies(rows, selected.size))]
    if before:
        sentences.insert(0, before + gettext(" There was not enough time for all in one go."))
    return ActionPlan(
        title=change.title,
        sentences=sentences,
        button=change.button(selected.count),
        tables=[_table(rows, selected.count)],
        is_final=change.is_final,
        is_empty=not selected.count,
        fields={_LAST: str(selected.last)},
    )


def _remedies(rows: Sequence[ParkedRecord], size: int | None) -> Iterator[str]:
    """
    Yield a sentence for each error code of ``rows``, with what to do before their release. ``size``: bytes of the
    largest row that exceeds its topic's limit; None: unknown.
    """
    for code in dict.fromkeys(row.code for row in rows):
        text = gettext("What to do about %(code)s before the release: %(remedy)s")
        yield text % {"code": shown(code), "remedy": remedy_of_parked(code, size)}


def _table(rows: Sequence[ParkedRecord], count: int) -> Table:
    caption = gettext("Which events")
    if count > len(rows):
        caption = gettext("The oldest %(shown)d of %(count)s events") % {
            "shown": len(rows),
            "count": charts.count(count),
        }
    unknown = gettext("unknown")
    return Table(
        caption=caption,
        columns=[
            gettext("Event id"),
            gettext("Event type"),
            gettext("Topic"),
            gettext("Parked since"),
            gettext("Reason"),
        ],
        rows=[
            [one.event_id or unknown, one.event_type or unknown, one.topic, one.parked, f"{one.code}: {one.reason}"]
            for one in map(ShownRow.of, rows)
        ],
    )


@attrs.frozen(kw_only=True)
class Selected:
    """Parked rows that a user has chosen."""

    rows: ParkedRecordQuerySet
    count: int
    last: int
    """
    The latest time at which one of the rows was parked, in milliseconds since the epoch. The confirmation posts this
    time, so that rows that were parked after the plan was shown are not changed.
    """
    size: int | None
    """The size of the largest row that exceeds its topic's limit, in bytes; None: there is none, or it is unknown."""

    @classmethod
    def of(cls, request: HttpRequest) -> Selected | None:
        """
        Return the parked rows that a POST selects in the database that its field ``database`` names. The field ``row``
        selects by id; the fields ``topic`` and ``code`` select by topic and error code. Return None if the user has
        ticked nothing. Raises Http404 if the fields are invalid or the database has no outbox.
        """
        alias, ids = request.POST.get("database", ""), request.POST.getlist("row")
        topic, code, last = (request.POST.get(name, "") for name in ("topic", "code", _LAST))
        if not all(one.isdecimal() and len(one) < _LONGEST_NUMBER for one in [*ids, last or "0"]):
            raise Http404
        if alias not in named_outboxes(workers()) or bool(topic) != bool(code) or not has_outbox(alias):
            raise Http404
        if not (ids or topic):
            return None
        topics = [topic] if topic else []
        parked = ParkedRecord.objects.using(alias)
        rows: ParkedRecordQuerySet = parked.matching(ids=list(map(int, ids)), topics=topics, code=code)
        if last:
            rows = rows.filter(parked_at__lte=int(last))
        found = rows.order_by().aggregate(count=Count("pk"), last=Max("parked_at"), size=Max("size", filter=_TOO_LARGE))
        return cls(rows=rows, count=found["count"], last=found["last"] or 0, size=found["size"])
