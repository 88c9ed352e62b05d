"""Writes the missing results of letters whose request has ended and whose worker is gone."""

from __future__ import annotations

from event_bus_kafka.models import DeadLetter, LetterState, RequestedLetter
from event_bus_kafka.replaying.requested_letter_run import LetterEnd, end_by_letter

_UNKNOWN = LetterEnd(LetterState.UNKNOWN, "its worker died while it ran, and the dead letter is there still")


def settle_orphans(alias: str, group: str) -> None:
    """
    Write the results of the group's letters that are still in the state ``running`` although their request has ended
    and its worker is gone. Letters of requests that have not ended are left out, because another worker takes over
    these requests. Raises a database error.
    """
    rows, letters = RequestedLetter.objects.using(alias), DeadLetter.objects.for_writing().without_contents()
    for one in rows.orphaned(group):
        end = end_by_letter(one, letters.filter(pk=one.letter).first()) or _UNKNOWN
        rows.end(one, one.claim, end.state, end.error)
