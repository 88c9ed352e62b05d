"""Texts and JSON values about a requested run, for operators."""

from __future__ import annotations

from typing import Any

import attrs

from event_bus_kafka.models import RequestedRun, RunKind
from event_bus_kafka.operations.requested_runs.run_progress import RunProgress
from event_bus_kafka.operations.requested_runs.run_requests import TopicArguments, arguments_of
from event_bus_kafka.shown import shown_time


def units(run: RequestedRun | None) -> str:
    """Return the unit in which the progress of a request is counted: letters, offsets or items."""
    if run is None:
        return "letters"
    return "offsets" if run.kind == RunKind.TOPIC else "items"


def subject(run: RequestedRun) -> str:
    """Return the topic or source of a run, in a few words."""
    if not run.is_known:
        return f"{run.kind}, of a later version"
    arguments = arguments_of(run)
    if isinstance(arguments, TopicArguments):
        return f"topic {arguments.topic}"
    return f"backfill of {arguments.source}"


def filters(run: RequestedRun) -> list[str]:
    """
    Return the limits of a run, as short texts. If the run is limited to one key, the text does not contain the key,
    because the key may identify a person.
    """
    if not run.is_known:
        return []
    arguments = arguments_of(run)
    if not isinstance(arguments, TopicArguments):
        return [] if arguments.limit is None else [f"at most {arguments.limit} items"]
    found = [f"only {arguments.event_type}"] if arguments.event_type is not None else []
    found += ["only one key"] if arguments.key is not None else []
    found += [f"from {shown_time(arguments.since)}"] if arguments.since is not None else []
    return found + ([f"before {shown_time(arguments.before)}"] if arguments.before is not None else [])


def run_json(run: RequestedRun) -> dict[str, Any]:
    """Return the facts about a run as JSON values. The key is omitted; ``has_key`` tells whether there is a key."""
    progress = RunProgress.of(run.progress)
    arguments = {name: value for name, value in run.arguments.items() if name != "key"}
    return {
        "kind": run.kind,
        "group": run.group,
        "arguments": arguments | {"has_key": run.arguments.get("key") is not None},
        "places": [attrs.asdict(one) for one in progress.places],
        "resume": progress.token,
        "reasons": progress.reasons,
        "problems": [{"where": where, "error": error} for where, error in progress.problems],
    }
