"""Finds the neglects of a single outbox. Import this module only if the app is installed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from event_bus_kafka.operations.neglects.catalogue import Neglect, OwnTables
from event_bus_kafka.operations.neglects.in_tables import neglected
from event_bus_kafka.operations.neglects.reading import HEARTBEATS, LETTERS, PAUSES, Beats, outbox_of, questions
from event_bus_kafka.operations.workers import WorkerRun


def neglects_of_outbox(alias: str, own: OwnTables, runs: Sequence[WorkerRun]) -> tuple[Neglect, ...]:
    """
    Return the neglects of the outbox in the database ``alias`` and of the topics that its relays hold. These are among
    the neglects that :func:`in_tables.neglects` finds. ``runs``: workers and relays, by their heartbeats. Asks only
    this database, with three statements. Raises a database error.
    """
    name = outbox_of(alias)
    _, look = questions([alias], runs)[name]
    relays = [run for run in runs if run.kind == "relay" and run.state["database"] == alias]
    beats = Beats(alias=alias, runs=relays, now=datetime.now(UTC), ahead=0.0)
    return neglected({HEARTBEATS: beats, LETTERS: None, PAUSES: None, name: look()}, own).neglects
