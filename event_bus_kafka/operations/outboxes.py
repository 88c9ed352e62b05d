"""The outboxes of this service, by its relays' heartbeats in the database: nothing is counted anew."""

from __future__ import annotations

from collections import Counter
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
"""Parked rows that are looked at, the oldest first."""


@attrs.frozen(kw_only=True)
class HeldBy:
    """A topic that a relay holds."""

    topic: str
    seconds: float
    reason: str
    relay: str


@attrs.frozen(kw_only=True)
class OutboxView:
    """An outbox."""

    database: str
    """The alias."""
    depth: Mapping[str, int] | None
    """Rows by topic, counted among the first 100,000; None: no running relay has reported any."""
    told: float
    """Seconds since a relay reported; 0 if none has."""
    oldest_age: float
    """Age of the row with the lowest id, in seconds; 0 if there is none."""
    relays: int
    """Number of running relays."""
    held: Sequence[HeldBy]


@attrs.frozen(kw_only=True)
class ParkedGroup:
    """Parked rows of one topic and code."""

    topic: str
    code: str
    count: int
    since: int
    """The time at which the first was parked, in milliseconds since the epoch."""
    reason: str
    """The reason of one of them."""


@attrs.frozen(kw_only=True)
class Slice:
    """The result of one slice of a change to many parked rows."""

    number: int
    is_last: bool
    """False: there was not enough time for all rows."""
    problem: str = ""
    """The reason for which it ended early; rows changed before stay changed."""


def outboxes(runs: Sequence[WorkerRun]) -> list[str]:
    """
    Return the aliases of databases that have an outbox of this service: where routes and relays know one, and where
    events go otherwise. Raises a database error, and :class:`ConfigurationError` for wrong routes.
    """
    told = [str(run.state["database"]) for run in runs if run.kind == "relay"]
    named = dict.fromkeys([*outbox_databases(), *told])
    return [alias for alias in named if alias in connections and were_found(connections[alias], *TABLES)]


def view(alias: str, runs: Sequence[WorkerRun]) -> OutboxView:
    """Look at one, by one statement. Raises a database error."""
    relays = [run for run in runs if run.kind == "relay" and run.is_alive and run.state["database"] == alias]
    telling = min((run for run in relays if "depth" in run.state), key=lambda run: run.silence, default=None)
    return OutboxView(
        database=alias,
        depth=telling.state["depth"] if telling else None,
        told=telling.silence if telling else 0.0,
        oldest_age=oldest_age(alias),
        relays=len(relays),
        held=[
            HeldBy(topic=one["topic"], seconds=one["seconds"], reason=one["reason"], relay=f"{run.host}:{run.pid}")
            for run in relays
            for one in run.state.get("held_topics", ())
        ],
    )


def parked_groups(alias: str) -> list[ParkedGroup]:
    """Return parked rows by topic and code, of the first :data:`MOST_PARKED`. Raises a database error."""
    some: Any = ParkedRecord.objects.using(alias).order_by("pk").values("topic", "code", "reason", "parked_at")
    counts, first, reasons = Counter[tuple[str, str]](), dict[tuple[str, str], int](), dict[tuple[str, str], str]()
    for row in some[:MOST_PARKED]:
        name = row["topic"], row["code"]
        counts[name] += 1
        first[name] = min(first.get(name, row["parked_at"]), row["parked_at"])
        reasons.setdefault(name, row["reason"])
    return [
        ParkedGroup(topic=topic, code=code, count=count, since=first[topic, code], reason=reasons[topic, code])
        for (topic, code), count in sorted(counts.items())
    ]


def slice_of(batches: Iterator[int], *, seconds: float) -> Slice:
    """
    Do the batches of a release or discard for about ``seconds``. Raises a database error if no row was changed before
    it.
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
