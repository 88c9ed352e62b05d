"""
The tour: ``make demo``.

Services act, and others hear of it over the event bus. Each is a Django project with its own process and database. The
tables show what arrived and how long it took; at the end all is compared with what was done.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from examples.processes import Interrupted, Process, ProcessFailed, Stage, stopped_by_signals
from examples.rows import ROWS
from examples.scenes import Scene

_GRACE = 1.0
"""Seconds to wait at the end for what should not come."""


def main() -> int:
    """Run the tour; return the exit code: 0 if everything arrived, in order, with equal values."""
    real = _choice("KAFKA", "real", "sandbox") == "real"
    with tempfile.TemporaryDirectory(prefix="event-bus-demo-") as folder, stopped_by_signals() as stop:
        scenes = [Scene(row, Path(folder)) for row in ROWS]
        try:
            with Stage(Path(folder), stop) as stage:
                return _run(stage, scenes, real)
        except ProcessFailed as failure:
            print(f"\nThe demo failed. {failure}", file=sys.stderr)
            return 1
        except Interrupted:
            return 130


def _run(stage: Stage, scenes: Sequence[Scene], real: bool) -> int:
    workers = _start(stage, real)
    for scene in scenes:
        scene.play(stage)
    stage.pause(_GRACE)
    print()
    wrong = [scene.row for scene in scenes if not scene.judge()]
    for worker in dict.fromkeys(workers[row.receiver, row.topic] for row in wrong):
        print(f"\n{worker.end_of_log()}", file=sys.stderr)
    if os.environ.get("KEEP") and not wrong:
        _keep(stage, scenes)
    return 1 if wrong else 0


def _start(stage: Stage, real: bool) -> dict[tuple[str, str], Process]:
    """Start everything; return the workers by service and topic."""
    bus = "Kafka and the schema registry (the first time, they are fetched)" if real else "the sandbox"
    print(f"Starting {bus} …", flush=True)
    stage.start_bus(real=real, topics=sorted({f"demo-{row.topic}" for row in ROWS}))
    services = sorted({service for row in ROWS for service in (row.sender, row.receiver)})
    print(f"Starting services: {', '.join(services)} …", flush=True)
    for migration in [stage.start(service, "migrate", "-v", "0") for service in services]:
        stage.finish(migration)
    reading = sorted({(row.receiver, row.topic) for row in ROWS})
    workers = {(service, topic): stage.start_worker(service, topic) for service, topic in reading}
    for worker in workers.values():
        stage.wait_until_logged("partitions assigned: demo-", worker)
    return workers


def _keep(stage: Stage, scenes: Sequence[Scene]) -> None:
    """Print what arrives until Ctrl-C."""
    print("\nStill running, until Ctrl-C. From another shell, in the folder of this repository, let more happen:\n")
    for name, value in stage.environment.items():
        print(f"  export {name}={value}")
    for row in ROWS:
        print(f"  {sys.executable} -m django {row.command} --settings=examples.{row.sender}.settings")
    print(flush=True)
    with suppress(Interrupted):
        while True:
            for scene in scenes:
                scene.print_new()
            stage.pause(0.02)


def _choice(variable: str, *choices: str) -> str:
    value = os.environ.get(variable) or choices[-1]
    if value not in choices:
        sys.exit(f"{variable} must be one of {', '.join(choices)}, not {value!r}.")
    return value


if __name__ == "__main__":
    sys.exit(main())
