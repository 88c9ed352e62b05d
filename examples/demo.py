"""
The tour: ``make demo``.

The LMS awards and revokes certificates; Credentials hears of it over the event bus. Each is a Django project with its
own process and database. The table shows what was sent, what arrived and how long it took.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from examples.processes import Process, ProcessFailed, Stage, stopped_by_signals

_TOPIC = "demo-learning-certificate-lifecycle"
_PATIENCE = 60.0
"""Seconds to wait for the last event."""
_COMPARED = ("change", "course_key", "user_id", "username", "grade", "status")
_ROW = "{change:<9} {course_key:<24} {username:<10} {grade:>6}  {took}"

Change = dict[str, Any]


def main() -> int:
    """Run the tour; return the exit code: 0 if everything arrived, in order, with equal values."""
    real = _choice("KAFKA", "real", "sandbox") == "real"
    with tempfile.TemporaryDirectory(prefix="event-bus-demo-") as folder, stopped_by_signals() as stop:
        stage = Stage(Path(folder))
        try:
            return _run(stage, Path(folder), real, stop)
        except ProcessFailed as failure:
            print(f"\nThe demo failed: {failure}", file=sys.stderr)
            return 1
        finally:
            stage.close()


def _run(stage: Stage, folder: Path, real: bool, stop: threading.Event) -> int:
    print("Starting Kafka and the schema registry …" if real else "Starting the sandbox …", flush=True)
    addresses = stage.start_bus(real=real, topics=[_TOPIC])
    print("Starting LMS and Credentials …", flush=True)
    for migration in [stage.manage(service, "migrate", "-v", "0") for service in ("lms", "credentials")]:
        migration.end()
    worker = stage.manage("credentials", "consume_events", "-t", "learning-certificate-lifecycle", "-g", "credentials")
    worker.wait_until_logged("partitions assigned: demo-")
    sent, arrived = _watch(stage.manage("lms", "grade_courses"), worker, folder / "credentials.sqlite3", stop)
    verdict = _verdict(sent, arrived)
    print(f"\n{len(sent)} sent, {len(arrived)} arrived. {verdict or 'All in order and equal.'}", flush=True)
    if os.environ.get("KEEP") and not verdict:
        _keep(addresses, folder, stop)
    return 1 if verdict else 0


def _watch(lms: Process, worker: Process, database: Path, stop: threading.Event) -> tuple[list[Change], list[Change]]:
    """Print each change as it arrives."""
    print("\nThe LMS sends, Credentials receives:\n")
    print(_ROW.format(change="CHANGE", course_key="COURSE", username="LEARNER", grade="GRADE", took="ARRIVED AFTER"))
    sent = list(lms.lines())
    lms.end()
    times = {UUID(change["event_id"]).hex: change["sent_at"] for change in sent}
    arrived: list[Change] = []
    for change in _arrivals(database, len(sent), stop):
        if worker.has_ended:
            worker.end()
        took = (change["received_at"] - times.get(change["event_id"], float("nan"))) * 1000
        print(_ROW.format(**{**change, "grade": change["grade"] or "–"}, took=f"{took:.0f} ms"), flush=True)
        arrived.append(change)
    return sent, arrived


def _arrivals(database: Path, expected: int, stop: threading.Event) -> Iterator[Change]:
    """Return rows of Credentials' history as they come; a second longer than expected, to see what should not come."""
    last, count, deadline = 0, 0, time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and not stop.is_set():
        for row in _rows_after(database, last):
            last = row["id"]
            count += 1
            if count == expected:
                deadline = time.monotonic() + 1
            yield row
        stop.wait(0.02)


def _rows_after(database: Path, last: int) -> list[Change]:
    connection = sqlite3.connect(database)
    connection.row_factory = sqlite3.Row
    try:
        query = "SELECT * FROM credentials_credentialchange WHERE id > ? ORDER BY id"
        return [dict(row) for row in connection.execute(query, [last])]
    finally:
        connection.close()


def _verdict(sent: list[Change], arrived: list[Change]) -> str:
    """Return what is wrong, or nothing. Order is promised per key, which is the course."""
    for course, changes in _by_course(sent).items():
        if changes != _by_course(arrived).get(course):
            return f"What arrived for {course} is not what was sent."
    return "" if len(sent) == len(arrived) else "More arrived than was sent."


def _by_course(changes: list[Change]) -> dict[str, list[Change]]:
    courses = defaultdict(list)
    for change in changes:
        compared = {name: change[name] for name in _COMPARED}
        courses[change["course_key"]].append({**compared, "event_id": UUID(change["event_id"]).hex})
    return dict(courses)


def _keep(addresses: dict[str, str], folder: Path, stop: threading.Event) -> None:
    print("\nStill running, until Ctrl-C. Award more, from the folder of this repository:\n")
    print(f"  export EXAMPLES_DATA={folder} KAFKA_BOOTSTRAP_SERVERS={addresses['bootstrap_servers']}")
    print(f"  export SCHEMA_REGISTRY_URL={addresses['schema_registry_url']}")
    print("  export DJANGO_SETTINGS_MODULE=examples.lms.settings")
    print("  .venv/bin/python -m django grade_courses --courses 9", flush=True)
    stop.wait()


def _choice(variable: str, *choices: str) -> str:
    value = os.environ.get(variable) or choices[-1]
    if value not in choices:
        sys.exit(f"{variable} must be one of {', '.join(choices)}, not {value!r}.")
    return value


if __name__ == "__main__":
    sys.exit(main())
