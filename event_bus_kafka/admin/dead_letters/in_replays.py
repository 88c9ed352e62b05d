"""Texts about dead letters that replay requests have still to replay."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from event_bus_kafka.admin.ages import moment_of
from event_bus_kafka.models import LetterState
from event_bus_kafka.operations.requested_runs.open_replays import OpenReplay


def drawn(found: Sequence[OpenReplay], url: Callable[..., str]) -> list[dict[str, Any]]:
    """
    Return the values that templates show of each request. ``url`` returns the URL of a page of replay requests, by its
    name.
    """
    return [
        {
            "number": one.number,
            "url": url("one", one.number),
            "requested": moment_of(one.requested_at),
            "count": len(one.letters),
            "state": _state(one),
        }
        for one in found
    ]


def warnings(found: Sequence[OpenReplay]) -> Iterator[str]:
    """Yield sentences that warn before the letters are discarded."""
    for one in found:
        count = len(one.letters)
        yield ngettext(
            "%(count)s of these is in replay request %(number)s, which has not ended; it would skip it.",
            "%(count)s of these are in replay request %(number)s, which has not ended; it would skip them.",
            count,
        ) % {"count": f"{count:,}", "number": one.number}


def _state(replay: OpenReplay) -> str:
    """Return the state of the letters of a replay, in words."""
    if LetterState.RUNNING in replay.letters.values():
        return _("running")
    return _("waiting, the request is paused") if replay.is_paused else _("waiting")
