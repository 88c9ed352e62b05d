"""
Finds all that waits for somebody to act, however short it has waited. A neglect is what has waited for too long. Import
this module only if the app is installed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

import attrs
from django.db import connections, models, router

from event_bus_kafka.models import DeadLetter, ParkedRecord, PausedReceiver
from event_bus_kafka.models.presence import were_found
from event_bus_kafka.operations.neglects.in_tables import database_of
from event_bus_kafka.operations.neglects.wording import MOST_COUNTED
from event_bus_kafka.operations.status.asking import Ask, Questions, Unanswered, ask_all, each_once, here
from event_bus_kafka.operations.workers import WorkerRun

_LETTERS, _PAUSES = "dead letters", "pauses"


@attrs.frozen(kw_only=True)
class Waiting:
    """All that waits. Counts end at :data:`MOST_COUNTED`."""

    letters: int
    parked: int
    """Number of parked rows in the outboxes that answered."""
    paused: Sequence[str]
    """Names of paused receivers."""
    held: Sequence[tuple[str, str]]
    """Topics that running relays hold, with the reasons."""
    unserved: Sequence[str]
    """Subscribed groups without a running worker."""
    unanswered: Sequence[Unanswered]
    """Databases without an answer: more may wait there."""


def waiting(
    *, outboxes: Collection[str], groups: Collection[str], runs: Sequence[WorkerRun], ask: Ask = here
) -> Waiting:
    """
    Return what waits, as far as databases answer. A missing table has nothing that waits.

    ``outboxes``: aliases of the databases whose parked rows are counted; ``groups``: subscribed groups that need a
    worker; ``runs``: workers and relays by their heartbeats.
    """
    alive = [run for run in runs if run.is_alive]
    answers = ask_all(_questions(outboxes), ask)
    told = {name: one for name, one in answers.items() if not isinstance(one, Unanswered)}
    return Waiting(
        letters=told.get(_LETTERS, 0),
        parked=min(sum(told.get(_parked_in(alias), 0) for alias in outboxes), MOST_COUNTED),
        paused=told.get(_PAUSES, ()),
        held=sorted({(one["topic"], one["reason"]) for run in alive for one in run.state.get("held_topics", ())}),
        unserved=sorted(set(groups) - {run.group for run in alive if run.kind == "consumer"}),
        unanswered=each_once(one for one in answers.values() if isinstance(one, Unanswered)),
    )


def _questions(outboxes: Collection[str]) -> Questions:
    return {
        _LETTERS: (database_of(DeadLetter), lambda: _counted(DeadLetter, router.db_for_write(DeadLetter))),
        _PAUSES: (database_of(PausedReceiver), _paused),
        **{_parked_in(alias): (f"database {alias}", partial(_counted, ParkedRecord, alias)) for alias in outboxes},
    }


def _parked_in(alias: str) -> str:
    return f"parked in {alias}"


def _counted(model: type[models.Model], alias: str) -> int:
    """Return the number of rows, at most :data:`MOST_COUNTED`. Raises a database error."""
    rows: Any = model._default_manager.using(alias).order_by().values_list("pk")
    return len(rows[:MOST_COUNTED]) if were_found(connections[alias], model) else 0


def _paused() -> list[str]:
    """Return the names of at most :data:`MOST_COUNTED` paused receivers. Raises a database error."""
    alias = router.db_for_write(PausedReceiver)
    names: Any = PausedReceiver.objects.using(alias).order_by("receiver").values_list("receiver", flat=True)
    return list(names[:MOST_COUNTED]) if were_found(connections[alias], PausedReceiver) else []
