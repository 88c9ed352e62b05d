"""Texts about a requested run, a replay of a topic or a backfill: its limits, its progress and its failures."""

from __future__ import annotations

from django.utils.translation import gettext as _

from event_bus_kafka.admin.shapes import Cell, Table
from event_bus_kafka.models import LetterState, RunKind
from event_bus_kafka.operations.dead_letters.requests import RequestReport
from event_bus_kafka.operations.requested_runs.run_report import filters, subject
from event_bus_kafka.shown import shown

_PLACES_SHOWN = 100


def run_facts(found: RequestReport) -> list[tuple[str, Cell]]:
    """Return the facts about a run. The page of a request shows these facts instead of facts about letters."""
    assert found.run is not None
    run, request, progress = found.run, found.request, found.progress
    is_topic = run.kind == RunKind.TOPIC
    unlimited = _("none: all records up to the offsets below") if is_topic else _("none: all items")
    facts: list[tuple[str, Cell]] = [
        (_("Succeeded") if is_topic else _("Sent"), found.counts.get(LetterState.SUCCEEDED, 0)),
        (_("Failed"), found.counts.get(LetterState.FAILED, 0)),
        (_("What"), shown(subject(run))),
        (_("Limits"), ", ".join(map(shown, filters(run))) or unlimited),
        (_("Group whose workers do it"), shown(run.group) or _("any")),
    ]
    if is_topic:
        facts.insert(2, (_("Skipped"), found.counts.get(LetterState.SKIPPED, 0)))
        facts.append((_("Receivers"), shown(request.receiver) or _("all that listen")))
    elif progress.token is not None:
        facts.append((_("Sent up to the item with this token"), shown(progress.token)))
    return [*facts, (_("Speed"), speed(request.rate, _("events")))]


def speed(rate: float | None, units: str) -> str:
    """Return the rate limit of a request, in words. ``units``: plural of the word for what the rate counts."""
    if not rate:
        return _("as fast as live events allow")
    return _("at most %(rate)s %(units)s per second") % {"rate": f"{rate:g}", "units": units}


def run_places(found: RequestReport) -> Table:
    """Return a table with one row for each partition that a replay reads, at most ``_PLACES_SHOWN`` rows."""
    rows = [
        (f"{shown(one.topic)}:{one.partition}", one.start, one.end, one.position)
        for one in found.progress.places[:_PLACES_SHOWN]
    ]
    columns = [_("Partition"), _("From"), _("To, exclusive"), _("Next offset")]
    return Table(caption=_("Offsets"), columns=columns, rows=rows)


def run_problems(found: RequestReport) -> Table:
    """Return a table of the first records or items that failed."""
    rows = [(shown(where), shown(error)) for where, error in found.progress.problems]
    return Table(caption=_("The first that failed"), columns=[_("Record, or token of the item"), _("Error")], rows=rows)
