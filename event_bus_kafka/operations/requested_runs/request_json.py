"""Converts replay requests to JSON values."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from event_bus_kafka.models import LetterState, RequestedLetter
from event_bus_kafka.operations.dead_letters.requests import RequestReport
from event_bus_kafka.operations.requested_runs.run_report import run_json, units


def as_json(found: RequestReport) -> dict[str, Any]:
    """Return all facts about a request, except its letters."""
    request = found.request
    names = ("group", "receiver", "instead_of", "receivers", "rate", "stop_after", "requested_by", "reason", "state")
    times = ("requested_at", "began_at", "beat_at", "ended_at")
    return {
        "id": request.pk,
        **{name: getattr(request, name) for name in (*names, "note", "worker", "failures_in_row")},
        **{name: _iso(getattr(request, name)) for name in times},
        units(found.run): found.total,
        "done": found.done,
        **{state: found.counts.get(state, 0) for state in LetterState.values},
        "obstacle": found.obstacle,
        **(run_json(found.run) if found.run else {"kind": "letters"}),
    }


def letter_json(letter: RequestedLetter) -> dict[str, Any]:
    """Return the facts about a letter of a request."""
    names = ("letter", "topic", "partition", "offset", "event_type", "state", "error")
    return {name: getattr(letter, name) for name in names}


def _iso(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat()
