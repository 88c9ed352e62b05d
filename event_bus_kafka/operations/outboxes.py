"""
Shows the outboxes of this service. The number of waiting rows comes from the relays' heartbeats in the database; the
rows are not counted again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from time import monotonic
from typing import Any

import attrs
from django.db import Error, connections

from event_bus_kafka.conf.routes import outbox_databases
from event_bus_kafka.models import ParkedRecord
from event_bus_kafka.models.presence import were_found
from event_bus_kafka.operations.workers import WorkerRun
from event_bus_kafka.outbox.backlog import TABLES, oldest_age
from event_bus_kafka.telemetry.error_text import database_error_text

MOST_PARKED = 10_000
"""Maximum number of parked rows that are read, lowest ids first."""
_OF_GROUPS = ("topic", "code", "reason", "parked_at", "size")
"""The columns of parked rows that :func:`parked_groups` reads."""


@attrs.frozen(kw_only=True)
class HeldBy:
    """A topic whose rows a relay holds, and the relay."""

    topic: str
    seconds: float
    reason: str
    relay: str


@attrs.frozen(kw_only=True)
class OutboxView:
    """The state of one outbox."""

    database: str
    """Alias of the database."""
    depth: Mapping[str, int] | None
    """
    Topic → number of rows. Only the first 100,000 rows of the outbox are counted. None: no running relay has reported
    the numbers.
    """
    told: float
    """Seconds since a relay reported ``depth``; 0 if ``depth`` is None."""
    oldest_age: float
    """Age of the row with the lowest id, in seconds; 0 if the outbox is empty."""
    relays: Sequence[WorkerRun]
    """The running relays."""
    held: Sequence[HeldBy]


@attrs.frozen(kw_only=True)
class ParkedGroup:
    """The parked rows of one topic with one error code."""

    topic: str
    code: str
    count: int
    since: int
    """The time at which the first row was parked, in milliseconds since the epoch."""
    reason: str
    """The reason why one of the rows was parked."""
    size: int | None
    """The size of the largest row, in bytes; None: unknown."""


@attrs.frozen(kw_only=True)
class Slice:
    """The result of one call of :func:`slice_of`, which may leave rows for the next call."""

    number: int
    """Number of changed rows."""
    is_last: bool
    """False: the time was over, and rows may be left. True: all rows were changed, or an error ended the change."""
    problem: str = ""
    """Why the slice ended early; empty: no error occurred. Rows that were changed before an error stay changed."""


def has_outbox(alias: str) -> bool:
    """Return whether a database has the tables of an outbox. Raises a database error."""
    return were_found(connections[alias], *TABLES)


def named_outboxes(runs: Sequence[WorkerRun]) -> list[str]:
    """
    Return the aliases of databases that may have an outbox of this service: those in the settings, and those of the
    relays in ``runs``. Sends no query. Raises :class:`ConfigurationError` if a route is wrong.
    """
    told = [str(run.state["database"]) for run in runs if run.kind == "relay"]
    return [alias for alias in dict.fromkeys([*outbox_databases(), *told]) if alias in connections]


def view(alias: str, runs: Sequence[WorkerRun]) -> OutboxView:
    """
    Return the state of one outbox. ``runs``: workers and relays, by their heartbeats. Sends one SQL statement. Raises a
    database error.
    """
    relays = [run for run in runs if run.kind == "relay" and run.is_alive and run.state["database"] == alias]
    telling = min((run for run in relays if "depth" in run.state), key=lambda run: run.silence, default=None)
    return OutboxView(
        database=alias,
        depth=telling.state["depth"] if telling else None,
        told=telling.silence if telling else 0.0,
        oldest_age=oldest_age(alias),
        relays=relays,
        held=[
            HeldBy(topic=one["topic"], seconds=one["seconds"], reason=one["reason"], relay=f"{run.host}:{run.pid}")
            for run in relays
            for one in run.state.get("held_topics", ())
        ],
    )


def parked_groups(alias: str) -> list[ParkedGroup]:
    """
    Return a group for each topic and error code among the first :data:`MOST_PARKED` parked rows. Raises a database
    error.
    """
    some: Any = ParkedRecord.objects.using(alias).order_by("pk").values(*_OF_GROUPS)
    groups = defaultdict[tuple[str, str], list[dict[str, Any]]](list)
    for row in some[:MOST_PARKED]:
        groups[row["topic"], row["code"]].append(row)
    return [
        ParkedGroup(
            topic=topic,
            code=code,
            count=len(rows),
            since=min(row["parked_at"] for row in rows),
            reason=rows[0]["reason"],
            size=max((row["size"] for row in rows if row["size"] is not None), default=None),
        )
        for (topic, code), rows in sorted(groups.items())
    ]


def slice_of(batches: Iterator[int], *, seconds: float) -> Slice:
    """
    Release or discard parked rows for about ``seconds``. ``batches``: changes a batch of rows at each step, and yields
    their number. Raises a database error if it occurs before any row is changed; a later one is in
    :attr:`Slice.problem`.
    """
    end, number = monotonic() + seconds, 0
    try:
        for count in batches:
            number += count
            if monotonic() > end:
                return Slice(number=number, is_last=False)
    except Error as error:
        if not number:
            raise
        return Slice(number=number, is_last=True, problem=database_error_text(error))
    return Slice(number=number, is_last=True)
