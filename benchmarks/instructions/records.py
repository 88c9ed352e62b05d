"""Values recorded for each Python minor version, and their comparison with a new count."""

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
"""Maximum accepted growth of a share (see :func:`shares`), relative to the recorded share."""
_PACKAGES = ("Django", "attrs", "confluent-kafka", "edx-event-bus-kafka", "fastavro", "openedx-events")
Record = Mapping[str, Any]
"""
A recorded value. ``shares``: the shares by operation; ``python`` and ``packages``: the versions with which the shares
were counted.
"""


def shares(counts: Counts) -> dict[str, float]:
    """Return this package's instructions divided by edx-event-bus-kafka's, by operation."""
    return {operation: round(counts[operation, OURS] / counts[operation, PUBLISHED], 4) for operation in COUNTED}


def record_of(counts: Counts) -> Record:
    """Return the shares, with the versions of Python and packages."""
    return {
        "shares": shares(counts),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
    }


def minor() -> str:
    """Return the minor version of this Python. Values are recorded under this name."""
    return ".".join(platform.python_version_tuple()[:2])


def read(path: Path = RECORDED) -> dict[str, Record]:
    """Return all recorded values, by Python minor version."""
    found: dict[str, Record] = json.loads(path.read_text())
    return found


def write(record: Record, python: str, path: Path = RECORDED) -> None:
    """Replace the recorded value of a Python minor version."""
    path.write_text(json.dumps(read(path) | {python: record}, indent=2, sort_keys=True) + "\n")


def complaints(new: Record, kept: Record | None) -> list[str]:
    """
    Return a sentence for each share that grew by more than the tolerance, followed by the versions that have changed.
    If no share grew so much, return nothing. If no value is recorded, return one sentence that says so.
    """
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
    """Return the versions of Python and packages that differ from the recorded versions."""
    now, then = ({"python": one["python"], **one["packages"]} for one in (new, kept))
    return [f"{name} was {then.get(name)}, is {now[name]}" for name in now if now[name] != then.get(name)]
