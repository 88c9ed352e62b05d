"""
The tour: ``make demo``.

Some services act, and other services learn about these actions over the event bus. Each service is a Django project
with its own processes and database. Each row of the tour is a use case for which Open edX needs the bus.

The tour checks twice whether the other services have the right data: shortly after the action, and at the end, when all
records have been read.

With ``--admin`` the tour shows three services with failures and their admin sites instead: ``make demo-admin``.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path

import django
from django.core.management import call_command

from examples.tour import desk
from examples.tour.processes import Interrupted, ProcessFailed, stopped_by_signals
from examples.tour.services import SERVICES, topics_of
from examples.tour.stage import Stage
from tests.services.mariadb import MariaDB
from tests.services.postgresql import PostgreSQL


def main() -> int:
    """Run the tour; return the exit code, which is 0 if all rows succeed."""
    is_desk = "--admin" in sys.argv[1:]
    # Relays hold a topic that does not exist: only on a real Kafka, since the sandbox creates topics.
    real = _choice("KAFKA", *(("real", "sandbox") if is_desk else ("sandbox", "real"))) == "real"
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="event-bus-demo-")))
        stop = stack.enter_context(stopped_by_signals())
        environment = {"EXAMPLES_DATA": str(folder)} | _database_server(stack)
        os.environ |= environment | {"DJANGO_SETTINGS_MODULE": "examples.tour.settings"}
        try:
            with Stage(folder, environment, stop, real=real, settings=desk.SETTINGS if is_desk else "") as stage:
                return _run(stage, desk.SERVICES if is_desk else SERVICES, "desk.course" if is_desk else "show")
        except ProcessFailed as failure:
            print(f"\nThe demo failed. {failure}", file=sys.stderr)
            return 1
        except Interrupted:
            return 130


def _run(stage: Stage, services: Sequence[str], course: str) -> int:
    bus = "Kafka and the schema registry (the first time, they are fetched)" if stage.real else "the sandbox"
    print(f"Starting {bus} …", flush=True)
    stage.start_bus(sorted({topic for service in services for topic in topics_of(service)}))
    django.setup()  # so that the tour can read the databases of all services
    for service in services:
        call_command("migrate", database=service, verbosity=0)  # without a process per service
    stage.wait_for_bus()
    exit_code: int = import_module(f"examples.tour.{course}").show(stage)  # after django.setup(): imports models
    return exit_code


def _database_server(stack: ExitStack) -> dict[str, str]:
    """Start the chosen database server; return the environment variables that tell the services its address."""
    choice = _choice("DATABASE", "sqlite", "postgresql", "mariadb")
    if choice == "sqlite":
        return {}
    server = stack.enter_context(PostgreSQL() if choice == "postgresql" else MariaDB())
    for service in SERVICES:
        address = server.settings(service)
    return {"DATABASE_SERVER": json.dumps(address)}


def _choice(variable: str, *choices: str) -> str:
    value = os.environ.get(variable) or choices[0]
    if value not in choices:
        sys.exit(f"{variable} must be one of {', '.join(choices)}, not {value!r}.")
    return value


if __name__ == "__main__":
    sys.exit(main())
