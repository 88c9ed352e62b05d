"""Texts about replay requests: the progress of each request, and the results of its letters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from event_bus_kafka.admin.ages import moment, moment_of
from event_bus_kafka.admin.replay_requests.run_progress_page import run_facts, run_places, run_problems, speed
from event_bus_kafka.admin.replay_requests.steps import STEPS
from event_bus_kafka.admin.shapes import Cell, Facts, Linked, Marked, Posting, Table, lines
from event_bus_kafka.models import LetterState, ReplayRequest, RequestedLetter, RequestState
from event_bus_kafka.operations.dead_letters.requests import RequestReport, problems, reasons
from event_bus_kafka.operations.requested_runs.prospects import Prospect, prospects
from event_bus_kafka.operations.requested_runs.run_report import subject, units
from event_bus_kafka.shown import shown

_LETTERS_SHOWN = 50
_REASONS_SHOWN = 20
_HISTORY_SHOWN = 20
_FIRST_SHOWN = 10
"""Maximum number of other requests that the page of a waiting request names. Workers do these requests first."""
_RARE = (LetterState.PARTLY, LetterState.UNKNOWN)
"""States of letters that the facts about a request leave out if no letter is in them."""
Url = Callable[..., str]


def listed(found: Sequence[RequestReport], url: Url) -> Table:
    """Return a table with a row for each request. ``url`` returns the URL of a page of replay requests, by its name."""
    expected = _prospects(found)
    has_kept = any(one.counts.get(LetterState.PARTLY) for one in found)
    columns = {
        LetterState.SUCCEEDED: _("Succeeded"),
        **({LetterState.PARTLY: _("Kept for other receivers")} if has_kept else {}),
        LetterState.FAILED: _("Failed"),
        LetterState.SKIPPED: _("Skipped"),
    }
    return Table(
        caption=_("Replay requests"),
        columns=[
            _("Replay request"),
            _("State"),
            _("What"),
            _("Group"),
            _("Done"),
            *columns.values(),
            _("Requested"),
            _("Ended"),
            _("By"),
            _("Reason"),
            _("Why it waits or ended"),
        ],
        rows=[_row(one, expected.get(one.request.pk), list(columns), url) for one in found],
        empty=_("Nobody has requested a replay lately."),
        shows_caption=False,
    )


def reported(found: RequestReport, url: Url, letter_url: Url, *, may_replay: bool) -> dict[str, Any]:
    """
    Return the context for a request's template. ``letter_url`` returns the URL of a page about dead letters. Its first
    argument is the name of the page, for example ``letter``.
    """
    request = found.request
    number = int(request.pk)
    why = found.progress.reasons if found.run else reasons(number)
    expected = _prospects([found]).get(number)
    return {
        "report": found,
        "done": _("%(done)s %(units)s done") % {"done": _done(found), "units": units(found.run)},
        "facts": Facts(
            items=[
                (_("State"), _state(found, expected)),
                *(run_facts(found) if found.run else _facts(found)),
                *_about(found),
            ]
        ),
        "note": shown(request.note),
        "obstacle": shown(found.obstacle),
        "prospect": _sentence(expected, url) if expected else "",
        "not_ready": shown(expected.not_ready) if expected else "",
        "postings": _postings(request, url) if may_replay else [],
        "reasons": [
            _reasons(_("Failed, by error"), _("Error"), why.get(LetterState.FAILED, {})),
            _reasons(_("Skipped, by reason"), _("Reason"), why.get(LetterState.SKIPPED, {})),
            _reasons(_("Succeeded, kept for other receivers"), _("Kept for"), why.get(LetterState.PARTLY, {})),
            _reasons(_("Result unknown"), _("Reason"), why.get(LetterState.UNKNOWN, {})),
        ],
        "letters": run_problems(found) if found.run else _letters(problems(number, _LETTERS_SHOWN), letter_url),
        "places": run_places(found),
        "history": _history(number),
        "here": url("one", number),
        "now": moment(datetime.now(UTC)),
    }


def _prospects(found: Sequence[RequestReport]) -> Mapping[int, Prospect]:
    """Return number of the request → when a worker begins it, for the requests that wait without an obstacle."""
    waiting = [one for one in found if one.request.state == RequestState.REQUESTED and not one.obstacle]
    return prospects([(one.request, one.run) for one in waiting])


def _sentence(when: Prospect, url: Url | None) -> str:
    """
    Return a text that says when a worker begins a request that waits. The text has links to other requests if ``url``
    is given.
    """
    whose = _("group %(group)s") % {"group": shown(when.group)} if when.group else _("this service")
    if not when.first:
        return _("A worker of %(whose)s takes it within a few seconds.") % {"whose": whose}
    named = when.first[:_FIRST_SHOWN]
    links = ", ".join(map(str, named))
    if url is not None:
        links = format_html_join(", ", '<a href="{}">{}</a>', ((url("one", number), number) for number in named))
    more = ", …" if len(when.first) > _FIRST_SHOWN else ""
    words = ngettext(
        "Waits: the workers of {whose} do replay request {links} first, one request at a time. It begins by itself "
        "after that. To have it sooner, pause request {first}.",
        "Waits: the workers of {whose} do replay requests {links}{more} first, one request at a time. It begins by "
        "itself after that. To have it sooner, pause those.",
        len(when.first),
    )
    fill = format_html if url else str.format
    return fill(words, whose=whose, links=links, more=more, first=when.first[0])


def _row(found: RequestReport, expected: Prospect | None, counted: Sequence[LetterState], url: Url) -> list[Cell]:
    """
    Return the row of a request. ``expected``: when a worker begins the request; None: the request does not wait, or an
    obstacle is known. ``counted``: states of letters; the row has a number for each of them.
    """
    request = found.request
    prospect = f"{_sentence(expected, None)} {expected.not_ready}".rstrip() if expected else ""
    return [
        Linked(text=str(request.pk), url=url("one", request.pk)),
        _state(found, expected),
        shown(subject(found.run)) if found.run else _("dead letters"),
        shown(found.run.group if found.run else request.group) or _("any"),
        _done(found) + (f" {units(found.run)}" if found.run else ""),
        *(found.counts.get(one, 0) for one in counted),
        moment_of(request.requested_at),
        moment_of(request.ended_at) if request.ended_at is not None else "–",
        shown(request.requested_by) or _("unknown"),
        shown(request.reason) or _("none given"),
        shown(found.obstacle or request.note or prospect) or "–",
    ]


def _facts(found: RequestReport) -> list[tuple[str, Cell]]:
    request = found.request
    return [
        *(
            (label, found.counts.get(one, 0))
            for one, label in _counted().items()
            if found.counts.get(one) or one not in _RARE
        ),
        (_("Group"), shown(request.group)),
        (_("Receivers"), lines(map(shown, request.receivers))),
        (_("Speed"), speed(request.rate, _("dead letters"))),
    ]


def _about(found: RequestReport) -> list[tuple[str, Cell]]:
    request = found.request
    times = [
        (_("Requested"), request.requested_at),
        (_("Began"), request.began_at),
        (_("Ended"), request.ended_at),
    ]
    items: list[tuple[str, Cell]] = [
        (_("Stops after"), _("%(count)s failures in a row") % {"count": request.stop_after}),
        (_("Requested by"), shown(request.requested_by) or _("unknown")),
        (_("Reason"), shown(request.reason) or _("none given")),
        *((label, moment_of(time)) for label, time in times if time is not None),
    ]
    if request.instead_of:
        items.append((_("Replaces the former receiver"), shown(request.instead_of)))
    if request.worker:
        items.append((_("Worker that has or had it"), shown(request.worker)))
    return items


def _counted() -> Mapping[str, str]:
    return {
        LetterState.SUCCEEDED: _("Succeeded"),
        LetterState.PARTLY: _("Succeeded, kept for other receivers"),
        LetterState.FAILED: _("Failed"),
        LetterState.SKIPPED: _("Skipped"),
        LetterState.UNKNOWN: _("Result unknown"),
        LetterState.RUNNING: _("Running"),
        LetterState.WAITING: _("Waiting"),
    }


def _state(found: RequestReport, expected: Prospect | None) -> Marked:
    state, failed = found.request.state, found.counts.get(LetterState.FAILED, 0)
    words = state
    if state == RequestState.REQUESTED:
        words = _("waiting for its turn") if expected and expected.first else _("waiting for a worker")
    if found.obstacle or failed or state in (RequestState.STOPPED, RequestState.FAILED):
        return Marked(text=words, mark="bad")
    return Marked(text=words, mark="good" if state in (RequestState.RUNNING, RequestState.DONE) else "idle")


def _done(found: RequestReport) -> str:
    return _("%(done)s of %(all)s") % {"done": f"{found.done:,}", "all": f"{found.total:,}"}


def _postings(request: ReplayRequest, url: Url) -> list[Posting]:
    return [
        Posting(label=f"{step.label} …", action=url(name, request.pk))
        for name, step in STEPS.items()
        if request.state in step.change.states
    ]


def _reasons(caption: str, column: str, found: Mapping[str, int]) -> Table:
    ordered = sorted(found.items(), key=lambda one: -one[1])
    rows = [(shown(reason) or _("unknown"), number) for reason, number in ordered]
    return Table(caption=caption, columns=[column, _("Number")], rows=rows[:_REASONS_SHOWN])


def _letters(found: Sequence[RequestedLetter], letter_url: Url) -> Table:
    return Table(
        caption=_("The first letters that failed, were skipped, are kept, or have an unknown result"),
        columns=[_("Record"), _("State"), _("Why")],
        rows=[_letter(one, letter_url) for one in found],
    )


def _letter(letter: RequestedLetter, letter_url: Url) -> list[Cell]:
    record: Cell = shown(letter.coordinates)
    if letter.state != LetterState.SKIPPED:  # in other states the dead letter usually exists
        record = Linked(text=shown(letter.coordinates), url=letter_url("letter", letter.letter))
    return [record, _counted().get(letter.state, letter.state), shown(letter.error)]


def _history(number: int) -> Table:
    """Return a table of the latest actions that users took on a request, from Django's history."""
    about = ContentType.objects.get_for_model(ReplayRequest)
    entries = LogEntry.objects.filter(content_type=about, object_id=str(number)).select_related("user")
    rows = [
        (moment(one.action_time), one.user.get_username(), one.get_change_message())
        for one in entries.order_by("-action_time")[:_HISTORY_SHOWN]
    ]
    return Table(caption=_("Done by hand"), columns=[_("Time"), _("User"), _("What")], rows=rows)
