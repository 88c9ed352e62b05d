"""The committed values, by Python minor, and what is wrong with a new count beside them."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.instructions.callgrind import Counts
from benchmarks.measurements import COUNTED, OURS, PUBLISHED

RECORDED = Path(__file__).with_name("recorded.json")
TOLERANCE = 0.05
"""By how much a share may grow."""
_PACKAGES = ("Django", "attrs", "confluent-kafka", "edx-event-bus-kafka", "fastavro", "openedx-events")
Record = Mapping[str, Any]
"""``shares`` by operation, and what they were counted with: ``python`` and ``packages``."""


def shares(counts: Counts) -> dict[str, float]:
    """Return our instructions as a share of the published package's, by operation."""
    return {operation: round(counts[operation, OURS] / counts[operation, PUBLISHED], 4) for operation in COUNTED}


def record_of(counts: Counts) -> Record:
    """Return the value to keep, and what it was counted with."""
    return {
        "shares": shares(counts),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
    }


def minor() -> str:
    """Return the Python minor under which a value is kept."""
    return ".".join(platform.python_version_tuple()[:2])


def read(path: Path = RECORDED) -> dict[str, Record]:
    """Return all values, by Python minor."""
    found: dict[str, Record] = json.loads(path.read_text())
    return found


def write(record: Record, python: str, path: Path = RECORDED) -> None:
    """Keep a value in place of the one that this Python minor had."""
    path.write_text(json.dumps(read(path) | {python: record}, indent=2, sort_keys=True) + "\n")


def complaints(new: Record, kept: Record | None) -> list[str]:
    """Return a sentence for each share that grew beyond the tolerance, or for a value that is missing."""
    if kept is None:
        return ["No value is recorded for this Python: make instructions ARGS=--record"]
    grown = [
        f"{operation}: {share:.2%} of the published package's instructions, and {before:.2%} when it was recorded "
        f"({share / before - 1:+.1%}; {TOLERANCE:.0%} are allowed)"
        for operation, share in new["shares"].items()
        if share > (before := kept["shares"][operation]) * (1 + TOLERANCE)
    ]
    return [*grown, *differences(new, kept)] if grown else []


def differences(new: Record, kept: Record) -> list[str]:
    """Return how Python and packages differ from those of the recorded value."""
    now, then = ({"python": one["python"], **one["packages"]} for one in (new, kept))
    return [f"{name} was {then.get(name)}, is {now[name]}" for name in now if now[name] != then.get(name)]
