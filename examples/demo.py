"""
The tour: ``make demo``.

Services act, and others hear of it over the event bus. Each is a Django project with its own process and database. The
tables show what arrived and how long it took; at the end all is compared with what was done.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from examples.changes import Arrivals, Change, differences
from examples.processes import Interrupted, ProcessFailed, Stage, stopped_by_signals
from examples.rows import ROWS, Row

_PATIENCE = 30.0
"""Seconds without any arrival after which what is missing counts as lost."""
_GRACE = 1.0
"""Seconds to wait at the end for what should not come."""


def main() -> int:
    """Run the tour; return the exit code: 0 if everything arrived, in order, with equal values."""
    real = _choice("KAFKA", "real", "sandbox") == "real"
    with tempfile.TemporaryDirectory(prefix="event-bus-demo-") as name, stopped_by_signals() as stop:
        folder = Path(name)
        arrivals = [Arrivals(folder / f"{row.receiver}.sqlite3", row.table) for row in ROWS]
        try:
            with Stage(folder, stop) as stage:
                return _run(stage, arrivals, real)
        except ProcessFailed as failure:
            print(f"\nThe demo failed. {failure}", file=sys.stderr)
            return 1
        except Interrupted:
            return 130


def _run(stage: Stage, arrivals: Sequence[Arrivals], real: bool) -> int:
    _start(stage, real)
    sent = [_play(stage, row, arriving) for row, arriving in zip(ROWS, arrivals, strict=True)]
    stage.pause(_GRACE)
    print()
    verdicts = [_judge(row, changes, arriving) for row, changes, arriving in zip(ROWS, sent, arrivals, strict=True)]
    if not all(verdicts):
        return 1
    if os.environ.get("KEEP"):
        _keep(stage, arrivals)
    return 0


def _start(stage: Stage, real: bool) -> None:
    print(
        "Starting Kafka and the schema registry (at the first time: fetching them) …"
        if real
        else "Starting the sandbox …",
        flush=True,
    )
    stage.start_bus(real=real, topics=sorted({f"demo-{row.topic}" for row in ROWS}))
    services = sorted({row.sender for row in ROWS} | {row.receiver for row in ROWS})
    print(f"Starting services: {', '.join(services)} …", flush=True)
    for migration in [stage.start(service, "migrate", "-v", "0") for service in services]:
        stage.finish(migration)
    workers = [stage.start_worker(*reads) for reads in sorted({(row.receiver, row.topic) for row in ROWS})]
    for worker in workers:
        stage.wait_until_logged("partitions assigned: demo-", worker)


def _play(stage: Stage, row: Row, arriving: Arrivals) -> list[Change]:
    """Let the sender act, print what arrives, and return what should."""
    print(f"\n{row.title}\n{row.story}\n\n{_heading(row)}", flush=True)
    command = stage.start(row.sender, row.command)
    while command.exit_code is None:
        _print_new(row, arriving)
        stage.pause(0.02)
    stage.finish(command)
    sent = command.lines()
    deadline = time.monotonic() + _PATIENCE
    while len(arriving.all) < len(sent) and time.monotonic() < deadline:
        if _print_new(row, arriving):
            deadline = time.monotonic() + _PATIENCE
        stage.pause(0.02)
    return sent


def _judge(row: Row, sent: Sequence[Change], arriving: Arrivals) -> bool:
    """Say whether what arrived is what was done."""
    arriving.new()
    wrong = list(differences(sent, arriving.all, row.key))
    verdict = "WRONG" if wrong else "in order and equal"
    print(f"{row.title:<58} {len(sent)} made, {len(arriving.all)} arrived: {verdict}", flush=True)
    for difference in wrong:
        print(f"  {difference}", flush=True)
    return not wrong


def _keep(stage: Stage, arrivals: Sequence[Arrivals]) -> None:
    """Print what arrives until Ctrl-C."""
    print("\nStill running, until Ctrl-C. From another shell, in the folder of this repository, let more happen:\n")
    for name, value in stage.environment.items():
        print(f"  export {name}={value}")
    for row in ROWS:
        print(f"  {sys.executable} -m django {row.command} --settings=examples.{row.sender}.settings")
    print(flush=True)
    with suppress(Interrupted):
        while True:
            for row, arriving in zip(ROWS, arrivals, strict=True):
                _print_new(row, arriving)
            stage.pause(0.02)


def _print_new(row: Row, arriving: Arrivals) -> bool:
    changes = arriving.new()
    for change in changes:
        took = datetime.fromisoformat(change["received_at"]) - datetime.fromisoformat(change["changed_at"])
        print(f"{_cells(row, change)}  {took.total_seconds() * 1000:.0f} ms", flush=True)
    return bool(changes)


def _heading(row: Row) -> str:
    return f"{_cells(row, {name: name.upper().replace('_', ' ') for name in row.columns})}  ARRIVED IN"


def _cells(row: Row, change: Change) -> str:
    return "  ".join(f"{_shown(change[name]):<{width}.{width}}" for name, width in row.columns.items())


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value or "–")


def _choice(variable: str, *choices: str) -> str:
    value = os.environ.get(variable) or choices[-1]
    if value not in choices:
        sys.exit(f"{variable} must be one of {', '.join(choices)}, not {value!r}.")
    return value


if __name__ == "__main__":
    sys.exit(main())
