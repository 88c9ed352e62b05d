"""
Releases or discards parked rows. A page first shows the plan. After the confirmation, each HTTP request changes rows
for a limited time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import attrs
from django.contrib import messages
from django.db.models import Count, Max
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext, ngettext

from event_bus_kafka.admin.actions import CONFIRMED, ActionPlan, ask, write_history
from event_bus_kafka.admin.pages import Page
from event_bus_kafka.admin.shapes import Table
from event_bus_kafka.models import ParkedRecord
from event_bus_kafka.models.outbox import ParkedRecordQuerySet
from event_bus_kafka.operations.outboxes import MOST_PARKED, has_outbox, named_outboxes, slice_of
from event_bus_kafka.operations.workers import workers
from event_bus_kafka.shown import shown

_SECONDS = 10.0
"""
One HTTP request changes rows for about this number of seconds. If rows remain, the next page asks whether to continue.
"""
_SHOWN = 100
"""Maximum number of different combinations of topic, code and reason that the page lists."""
_LAST = "last"
"""Name of the form field that contains the value of :attr:`Selected.last`."""
_LONGEST_NUMBER = 19
"""A posted number must have fewer digits than this, so that a column of the database can hold it."""


@attrs.frozen(kw_only=True)
class ParkedChange:
    """An action on parked rows: the release or the discard."""

    title: str
    sentences: Callable[[int], Sequence[str]]
    """
    Returns sentences for the page that asks for confirmation. The argument is the number of rows. The page also shows
    :attr:`Selected.sentence`.
    """
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
            ngettext(
                "It goes back where it stood, and is sent before what came after it and still waits.",
                "They go back where they stood, and are sent before what came after them and still waits.",
                count,
            ),
            gettext("What Kafka still refuses is parked again."),
        ],
        button=lambda count: gettext("Release %(count)d") % {"count": count},
        done=lambda count: ngettext("Released %d parked event.", "Released %d parked events.", count) % count,
        batches=ParkedRecordQuerySet.release_in_batches,
    )


def discard() -> ParkedChange:
    """Return the action that deletes parked rows permanently."""
    return ParkedChange(
        title=gettext("Discard parked events"),
        sentences=lambda count: [
            ngettext("It is deleted for good, and never sent.", "They are deleted for good, and never sent.", count)
        ],
        button=lambda count: gettext("Discard %(count)d for good") % {"count": count},
        done=lambda count: ngettext("Discarded %d parked event.", "Discarded %d parked events.", count) % count,
        batches=ParkedRecordQuerySet.discard_in_batches,
        is_final=True,
    )


def confirm_and_change(page: Page, request: HttpRequest, change: ParkedChange) -> HttpResponse:
    """
    Ask the user to confirm a change to the posted rows. After the confirmation, change rows for about :data:`_SECONDS`.
    If rows remain, ask whether to continue. Each confirmed request writes its result to Django's history.
    """
    selected = Selected.of(request)
    if CONFIRMED not in request.POST or not selected.count:
        return ask(page, request, _plan(change, selected))
    done = slice_of(change.batches(selected.rows), seconds=_SECONDS)
    words = change.done(done.number)
    if done.problem:
        words += gettext(" Then the database failed: %(problem)s.") % {"problem": done.problem}
    write_history(request, page, words)
    if not done.is_last and (left := Selected.of(request)).count:
        return ask(page, request, _plan(change, left, before=words))
    messages.add_message(request, messages.ERROR if done.problem else messages.SUCCESS, words)
    return HttpResponseRedirect(page.url())


def _plan(change: ParkedChange, selected: Selected, before: str = "") -> ActionPlan:
    """
    Return the page that asks for confirmation. ``before``: sentence about the result of the previous request; empty for
    the first request.
    """
    sentences = [selected.sentence, *change.sentences(selected.count)]
    if before:
        sentences.insert(0, before + gettext(" There was not enough time for all in one go."))
    return ActionPlan(
        title=change.title,
        sentences=sentences,
        button=change.button(selected.count),
        tables=[selected.table],
        is_final=change.is_final,
        is_empty=not selected.count,
        fields={_LAST: str(selected.last)},
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

    @classmethod
    def of(cls, request: HttpRequest) -> Selected:
        """
        Return the parked rows that a POST selects in the database that its field ``database`` names. The field ``row``
        selects by id; the fields ``topic`` and ``code`` select by topic and error code. Raises Http404 if the fields
        are invalid or the database has no outbox.
        """
        alias, ids = request.POST.get("database", ""), request.POST.getlist("row")
        topic, code, last = (request.POST.get(name, "") for name in ("topic", "code", _LAST))
        if not all(one.isdecimal() and len(one) < _LONGEST_NUMBER for one in [*ids, last or "0"]):
            raise Http404
        if alias not in named_outboxes(workers()) or not (ids or (topic and code)):
            raise Http404
        if not has_outbox(alias):
            raise Http404
        topics = [topic] if topic else []
        parked = ParkedRecord.objects.using(alias)
        rows: ParkedRecordQuerySet = parked.matching(ids=list(map(int, ids)), topics=topics, code=code)
        if last:
            rows = rows.filter(parked_at__lte=int(last))
        found = rows.order_by().aggregate(count=Count("pk"), last=Max("parked_at"))
        return cls(rows=rows, count=found["count"], last=found["last"] or 0)

    @property
    def sentence(self) -> str:
        """A sentence with the number of selected rows."""
        return ngettext("This is about %d parked event.", "This is about %d parked events.", self.count) % self.count

    @property
    def table(self) -> Table:
        """A table with the topics, codes and reasons of the selected rows."""
        some = self.rows.order_by("pk").values_list("topic", "code", "reason")[:MOST_PARKED]
        return Table(
            caption=gettext("Which"),
            columns=[gettext("Topic"), gettext("Code"), gettext("Reason")],
            rows=[list(map(shown, one)) for one in list(dict.fromkeys(some))[:_SHOWN]],
        )
