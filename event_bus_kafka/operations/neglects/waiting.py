"""
Finds everything that waits for an operator, however briefly. A neglect, in contrast, has lasted for some time. Import
this module only if the app is installed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from functools import partial

import attrs
from django.db import connections, models, router

from event_bus_kafka.models import DeadLetter, ParkedRecord, PausedReceiver
from event_bus_kafka.models.database_time import VENDORS
from event_bus_kafka.models.presence import were_found
from event_bus_kafka.operations.neglects.wording import MOST_COUNTED
from event_bus_kafka.operations.status.asking import Ask, Questions, Unanswered, ask_all, each_once, here
from event_bus_kafka.operations.workers import WorkerRun


@attrs.frozen(kw_only=True)
class Waiting:
    """Everything that waits for an operator. Counts end at :data:`MOST_COUNTED`."""

    letters: int
    """Number of dead letters."""
    parked: int
    """Number of parked rows in the outboxes that answered."""
    paused: int
    """Number of paused receivers."""
    held: Sequence[tuple[str, str]]
    """Topics that running relays hold, with the reasons."""
    unserved: Sequence[str]
    """Subscribed groups without a running worker."""
    unanswered: Sequence[Unanswered]
    """Databases that did not answer. Their rows are not counted."""


def waiting(
    *, outboxes: Collection[str], groups: Collection[str], runs: Sequence[WorkerRun], ask: Ask = here
) -> Waiting:
    """
    Return everything that waits for an operator, in the databases that answer. A missing table counts as empty.

    ``outboxes``: aliases of the databases whose parked rows are counted. ``groups``: subscribed groups, each of which
    needs a worker. ``runs``: workers and relays, by their heartbeats. ``ask``: asks a database.
    """
    alive = [run for run in runs if run.is_alive]
    answers = ask_all(_questions(outboxes), ask)
    counts = Counter[type[models.Model]]()
    for one in answers.values():
        counts.update({} if isinstance(one, Unanswered) else one)
    return Waiting(
        letters=counts[DeadLetter],
        parked=min(counts[ParkedRecord], MOST_COUNTED),
        paused=counts[PausedReceiver],
        held=sorted({(one["topic"], one["reason"]) for run in alive for one in run.state.get("held_topics", ())}),
        unserved=sorted(set(groups) - {run.group for run in alive if run.kind == "consumer"}),
        unanswered=each_once(one for one in answers.values() if isinstance(one, Unanswered)),
    )


def _questions(outboxes: Collection[str]) -> Questions:
    tables = defaultdict[str, list[type[models.Model]]](list)
    for model in (DeadLetter, PausedReceiver):
        tables[router.db_for_write(model)].append(model)
    for alias in outboxes:
        tables[alias].append(ParkedRecord)
    return {alias: (f"database {alias}", partial(_counts, alias, several)) for alias, several in tables.items()}


def _counts(alias: str, several: Sequence[type[models.Model]]) -> dict[type[models.Model], int]:
    """Count the rows of each model up to :data:`MOST_COUNTED`, by one statement. Raises a database error."""
    connection = connections[alias]
    there = [one for one in several if connection.vendor in VENDORS and were_found(connection, one)]
    if not there:
        return {}
    tables = [connection.ops.quote_name(one._meta.db_table) for one in there]
    counts = [f"(SELECT COUNT(*) FROM (SELECT 1 AS row_there FROM {one} LIMIT {MOST_COUNTED}) some)" for one in tables]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(counts)}")
        return dict(zip(there, cursor.fetchone(), strict=True))
