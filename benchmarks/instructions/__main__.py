"""``make instructions``: counts the instructions for one event, and compares the result with the recorded value."""

from __future__ import annotations

import argparse
import sys

from benchmarks.instructions.callgrind import Counts, count
from benchmarks.instructions.records import RECORDED, Record, complaints, minor, read, record_of, write
from benchmarks.measurements import BARE, COUNTED, NAMES, OURS, PUBLISHED, VARIANTS
from benchmarks.report import aligned


def main() -> int:
    """Return the exit code: 1 if an event takes too many instructions or no value is recorded; 0 with ``--record``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.instructions", description=__doc__)
    parser.add_argument("--record", action="store_true", help="keep the new value instead of comparing it")
    options = parser.parse_args()
    counts = count()
    new, kept = record_of(counts), read().get(minor())
    print(as_table(counts, new, kept))
    if options.record:
        write(new, minor())
        print(f"\nRecorded for Python {minor()} in {RECORDED.name}. Commit it, and say why it changed.")
        return 0
    wrong = complaints(new, kept)
    print("\n" + "\n".join(wrong), file=sys.stderr) if wrong else None
    return 1 if wrong else 0


def as_table(counts: Counts, new: Record, kept: Record | None) -> str:
    """Return a table of the counts, with their ratios to the counts of edx-event-bus-kafka and of the bare loop."""
    rows: list[tuple[str, ...]] = [("", "", "instructions/event", "÷ published", "÷ bare", "recorded")]
    for operation in COUNTED:
        for variant in VARIANTS:
            took = counts[operation, variant]
            published, bare = (took / counts[operation, other] for other in (PUBLISHED, BARE))
            before = f"{kept['shares'][operation]:.4f}" if kept and variant == OURS else ""
            rows.append((operation, NAMES[variant], f"{took:,.0f}", f"{published:.4f}", f"{bare:.3f}", before))
    packages = ", ".join(f"{name} {number}" for name, number in new["packages"].items())
    return "\n".join([*aligned(rows), "", f"python: {new['python']}", f"packages: {packages}"])


if __name__ == "__main__":
    sys.exit(main())
