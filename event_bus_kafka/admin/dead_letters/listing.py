"""The list of dead letters, and the list of receivers that are no longer pending."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import urlencode

from django.http import HttpRequest
from django.utils.translation import gettext as _

from event_bus_kafka.admin import ages
from event_bus_kafka.admin.dead_letters.filters import ALL_SETTLED, Filters
from event_bus_kafka.admin.shapes import Cell, Linked, Table
from event_bus_kafka.dead_letters.pending import of_row
from event_bus_kafka.models import DeadLetter, DeadLetterEntry, EntryState
from event_bus_kafka.operations.dead_letters import report
from event_bus_kafka.operations.dead_letters.paging import Position, counted_page_of, recent_names
from event_bus_kafka.operations.dead_letters.settled_paging import SettledPosition, settled_page_of
from event_bus_kafka.shown import shown

LETTERS_A_PAGE = 50
_RECEIVERS_SHOWN = 3
Url = Callable[..., str]
_Place = TypeVar("_Place")


def listing(request: HttpRequest, filters: Filters, url: Url) -> dict[str, Any]:
    """Return the context for the list's template. ``url`` returns the URL of a page, by its name."""
    drawn = {"filters": filters, "search_url": url("search"), "discard_url": url("discard")}
    if not filters.is_valid:
        return drawn
    drawn |= {"names": recent_names(), "now": ages.moment(datetime.now(UTC))}
    return drawn | (_settled if filters.state else _letters)(request, filters, url)


def settled_table(entries: list[DeadLetterEntry], caption: str) -> Table:
    """
    Return a table with one row for each entry. The receivers of the entries are no longer pending: they or stand-ins
    have succeeded, or the letters were deleted.
    """
    columns = [_("Record"), _("Event type"), _("Group"), _("Receiver"), _("State"), _("Error before"), _("When")]
    return Table(caption=caption, columns=columns, rows=[_settled_row(entry) for entry in entries])


def seconds_since(moment: datetime) -> float:
    return (datetime.now(UTC) - moment).total_seconds()


def place(letter: DeadLetter | DeadLetterEntry) -> str:
    """Return the coordinates of a letter's record."""
    return f"{shown(letter.topic)}:{letter.partition}:{letter.offset}"


def _letters(request: HttpRequest, filters: Filters, url: Url) -> dict[str, Any]:
    after = _after(request, Position.parse)
    page, count = counted_page_of(filters.selection, after=after, limit=LETTERS_A_PAGE)
    drawn = {
        "count": count,
        "letters": [_letter(letter, url) for letter in page.letters],
        "following": _following(filters, page.following),
        "after": after,
        "here": _here(filters, after, url),
    }
    if not filters.searches:
        return drawn
    entries = settled_page_of(filters.selection, None, after=None, limit=LETTERS_A_PAGE).entries
    return drawn | {"settled": settled_table(entries, _("What became of such letters"))}


def _settled(request: HttpRequest, filters: Filters, url: Url) -> dict[str, Any]:
    state = None if filters.state == ALL_SETTLED else EntryState(filters.state)
    after = _after(request, SettledPosition.parse)
    page = settled_page_of(filters.selection, state, after=after, limit=LETTERS_A_PAGE)
    caption = _("What became of dead letters, the latest first")
    return {
        "settled": settled_table(page.entries, caption),
        "following": _following(filters, page.following),
        "after": after,
        "here": _here(filters, after, url),
    }


def _here(filters: Filters, after: object, url: Url) -> str:
    """Return the URL of the page itself; empty for a search, whose fields no URL may contain."""
    fields = {**filters.fields, **({"after": str(after)} if after else {})}
    query = f"?{urlencode(fields)}" if fields else ""
    return "" if filters.searches else f"{url()}{query}"


def _after(request: HttpRequest, parse: Callable[[str], _Place]) -> _Place | None:
    """
    Return the place after which the page begins, from the field ``after``. If the field is missing or invalid, return
    None, which means the first page.
    """
    text = (request.POST if request.method == "POST" else request.GET).get("after", "")
    try:
        return parse(text) if text else None
    except (ValueError, OverflowError):
        return None


def _following(filters: Filters, following: object) -> Mapping[str, Any] | None:
    """
    Return the fields and the URL of the link to the next page; None: there is no next page. The URL is empty for a
    search, because the fields of a search are posted instead.
    """
    if following is None:
        return None
    fields = {**filters.fields, "after": str(following)}
    return {"fields": fields, "url": "" if filters.searches else f"?{urlencode(fields)}"}


def _letter(letter: DeadLetter, url: Url) -> dict[str, Any]:
    failures = [report.failure_text(failure) for failure in of_row(letter).values()]
    return {
        "id": letter.pk,
        "record": Linked(text=place(letter), url=url("letter", letter.pk)),
        "event_type": shown(letter.event_type) or _("unknown"),
        "group": shown(letter.group),
        "failures": failures[:_RECEIVERS_SHOWN],
        "more": max(len(failures) - _RECEIVERS_SHOWN, 0),
        "attempts": letter.attempts,
        "failed": ages.ago(seconds_since(letter.last_failed_at)),
        "failed_at": ages.moment(letter.last_failed_at),
    }


def _settled_row(entry: DeadLetterEntry) -> list[Cell]:
    by = _(" by %(name)s") % {"name": shown(entry.stand_in)} if entry.stand_in else ""
    return [
        place(entry),
        shown(entry.event_type) or _("unknown"),
        shown(entry.group),
        shown(entry.receiver) or _("no receiver ran"),
        f"{entry.state}{by}",
        shown(entry.error),
        ages.moment_of(entry.changed_at),
    ]
