"""The course of the tour: start the services that the rows need, play the rows, and check the rows again at the end."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from textwrap import fill

from examples.tour.news import News
from examples.tour.processes import Interrupted
from examples.tour.reading import all_is_read
from examples.tour.rows import ROWS
from examples.tour.scene import Row, Scene, Wrong
from examples.tour.stage import Stage

_SETTLING_SECONDS = 60


def show(stage: Stage) -> int:
    """Play the rows; return the exit code, which is 0 if all rows succeed."""
    rows = _chosen()
    services = list(dict.fromkeys(service for row in rows for service in row.services))
    print(fill(f"Starting services: {', '.join(services)} …", 100), flush=True)
    stage.start_services(services)
    scenes = [Scene(row, stage) for row in rows]
    wrong = {scene.row.number: _played(scene) for scene in scenes}
    if not any(wrong.values()):
        _wait_until_all_is_read(stage)
        wrong = {scene.row.number: scene.check_again() for scene in scenes}
    _judge(scenes, wrong)
    if any(wrong.values()):
        for worker in stage.workers.values():
            print(f"\n{worker.end_of_log()}", file=sys.stderr)
        return 1
    if os.environ.get("KEEP"):
        _keep(stage)
    return 0


def _chosen() -> Sequence[Row]:
    numbers = (os.environ.get("ROWS") or "").split()
    if unknown := set(numbers) - {row.number for row in ROWS}:
        sys.exit(f"ROWS: there is no {', '.join(sorted(unknown))}, only {' '.join(row.number for row in ROWS)}.")
    return [row for row in ROWS if row.number in numbers] if numbers else ROWS


def _played(scene: Scene) -> list[str]:
    """Play the row of ``scene``. Return a list with the expectation that failed; empty if the row succeeds."""
    try:
        scene.play()
    except Wrong as wrong:
        scene.say(f"WRONG: {wrong}")
        return [str(wrong)]
    return []


def _wait_until_all_is_read(stage: Stage) -> None:
    """
    Wait until all records are read, so that no duplicate or unwanted event can arrive later. After
    ``_SETTLING_SECONDS`` seconds, stop waiting.
    """
    deadline = time.monotonic() + _SETTLING_SECONDS
    while not all_is_read(stage.environment["KAFKA_BOOTSTRAP_SERVERS"], stage.workers):
        if time.monotonic() > deadline:
            break
        stage.pause(0.2)


def _judge(scenes: Sequence[Scene], wrong: dict[str, list[str]]) -> None:
    print("\nWhen all had been read:")
    for scene in scenes:
        row = scene.row
        print(f"{row.number:<3} {row.title:<60} {'WRONG' if wrong[row.number] else 'holds'}")
        for what in wrong[row.number]:
            print(f"    {what}")
    sys.stdout.flush()


def _keep(stage: Stage) -> None:
    """Keep all processes running until Ctrl-C, and print the events that workers receive."""
    print("\nStill running, until Ctrl-C. From another shell, in the folder of this repository, let more happen:\n")
    for name, value in stage.environment.items():
        print(f"  export {name}='{value}'")
    print(f"  {sys.executable} -m django shell --settings=examples.lms.settings")
    print("  >>> from examples.lms.api import *")
    print('  >>> award_certificate(8, "course-v1:edX+Demo+2026")\n')
    print("What each service can do is in its api.py. Here you see what the workers receive:\n", flush=True)
    news = News(stage.workers)
    with suppress(Interrupted):
        while True:
            news.print()
            stage.pause(0.1)
