"""Finds the replay requests in which dead letters still wait or run."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import attrs
from django.db import router

from event_bus_kafka.models import LetterState, ReplayRequest, RequestedLetter, RequestState


@attrs.frozen(kw_only=True)
class OpenReplay:
    """A replay request that has not ended, with those of the given dead letters that it has still to replay."""

    number: int
    requested_at: int
    """Time of the order, in milliseconds since the epoch."""
    is_paused: bool
    letters: Mapping[int, LetterState]
    """Id of a dead letter → its state in the request, ``waiting`` or ``running``."""


def open_replays_of(letters: Collection[int]) -> list[OpenReplay]:
    """
    Return the requests that have still to replay some of the dead letters with ids ``letters``, oldest first. Makes one
    statement, or none if ``letters`` is empty. Raises a database error.
    """
    if not letters:
        return []
    requested = RequestedLetter.objects.using(router.db_for_write(ReplayRequest)).unfinished(letters)
    requests: dict[int, tuple[int, bool]] = {}
    states: dict[int, dict[int, LetterState]] = {}
    for number, requested_at, state, letter, letter_state in requested:
        requests[number] = (requested_at, state == RequestState.PAUSED)
        states.setdefault(number, {})[letter] = LetterState(letter_state)
    return [
        OpenReplay(number=number, requested_at=requested_at, is_paused=is_paused, letters=states[number])
        for number, (requested_at, is_paused) in requests.items()
    ]
