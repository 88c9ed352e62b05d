"""
The tour: ``make demo``.

Services act, and others hear of it over the event bus. Each is a Django project with processes and a database of its
own. Each row is something that Open edX needs the bus for; it holds if the others know what they should, also at the
end, when all has been read.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path

import django
from django.core.management import call_command

from examples.tour.processes import Interrupted, ProcessFailed, stopped_by_signals
from examples.tour.services import SERVICES, topics_of
from examples.tour.stage import Stage
from tests.services.mariadb import MariaDB
from tests.services.postgresql import PostgreSQL


def main() -> int:
    """Run the tour; return the exit code: 0 if every row holds."""
    real = _choice("KAFKA", "sandbox", "real") == "real"
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="event-bus-demo-")))
        stop = stack.enter_context(stopped_by_signals())
        environment = {"EXAMPLES_DATA": str(folder)} | _database_server(stack)
        os.environ |= environment | {"DJANGO_SETTINGS_MODULE": "examples.tour.settings"}
        try:
            with Stage(folder, environment, stop, real=real) as stage:
                return _run(stage)
        except ProcessFailed as failure:
            print(f"\nThe demo failed. {failure}", file=sys.stderr)
            return 1
        except Interrupted:
            return 130


def _run(stage: Stage) -> int:
    bus = "Kafka and the schema registry (the first time, they are fetched)" if stage.real else "the sandbox"
    print(f"Starting {bus} …", flush=True)
    stage.start_bus(sorted({topic for service in SERVICES for topic in topics_of(service)}))
    django.setup()  # to look into the databases of all services
    for service in SERVICES:
        call_command("migrate", database=service, verbosity=0)  # `manage.py migrate` of each, without its start-up
    stage.wait_for_bus()
    exit_code: int = import_module("examples.tour.show").show(stage)  # has models: only after Django's setup
    return exit_code


def _database_server(stack: ExitStack) -> dict[str, str]:
    """Start the chosen database server; return what tells the services of it."""
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
