"""Arguments and output of commands that can do their work themselves, or request it from workers."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import Error

from event_bus_kafka.management.arguments import NOT_DONE, number
from event_bus_kafka.management.examples import OperatorCommand
from event_bus_kafka.management.users import user_name
from event_bus_kafka.operations.dead_letters.request_plan import STOP_AFTER
from event_bus_kafka.operations.requested_runs.run_obstacles import obstacle_before_run
from event_bus_kafka.operations.requested_runs.run_requests import RunWish, are_possible, request_run
from event_bus_kafka.shown import shown
from event_bus_kafka.telemetry.error_text import database_error_text

_OF_REQUESTS = ("group", "stop_after", "reason")


def add_request(parser: CommandParser, does: str, group: str) -> None:
    """
    Add ``--request`` and the options that depend on it. ``does``: help text about the work of the workers. ``group``:
    help text for ``--group``.
    """
    parser.add_argument("--request", action="store_true", help=f"make a request instead: {does}")
    parser.add_argument("-g", "--group", help=f"with --request: {group}")
    parser.add_argument(
        "--stop-after",
        type=number(least=1),
        metavar="N",
        help=f"with --request: end it after N failures in a row (default: {STOP_AFTER})",
    )
    parser.add_argument("--reason", default="", help="with --request: the reason, shown with the request")


def check_request(options: dict[str, Any]) -> None:
    """Raise CommandError if options conflict, or if the tables of replay requests are missing."""
    if not options["request"]:
        if any(options[name] for name in _OF_REQUESTS):
            raise CommandError("--group, --stop-after and --reason belong to --request.")
        return
    try:
        is_migrated = are_possible()
    except Error as error:
        raise CommandError(f"The database cannot be used: {database_error_text(error)}.") from error
    if not is_migrated:
        raise CommandError("The tables of replay requests are missing: run manage.py migrate.")


def wish_values(options: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a ``RunWish`` that each command with ``--request`` sets."""
    return {
        "group": options["group"] or "",
        "rate": options["rate"],
        "stop_after": options["stop_after"] or STOP_AFTER,
        "requested_by": user_name(),
        "reason": options["reason"],
    }


def make_or_plan(command: OperatorCommand, wish: RunWish, options: dict[str, Any]) -> None:
    """
    Make a request if ``--apply`` is given. Print the number of the request, and the reason if no worker would take it.
    Raises CommandError if the database cannot be used.
    """
    try:
        request = request_run(wish) if options["apply"] else None
    except Error as error:
        raise CommandError(f"The database cannot be used: {database_error_text(error)}.") from error
    made = request.pk if request else None
    obstacle = _obstacle(wish)
    if options["json"]:
        command.stdout.write(json.dumps({"request": made, "obstacle": obstacle}))
        return
    if made:
        text = f"Replay request {made} is made; see manage.py event_dead_letters requests {made}."
        command.stdout.write(command.style.SUCCESS(text))
    if obstacle:
        command.stdout.write(shown(obstacle))
    if not made:
        command.stdout.write(NOT_DONE)


def _obstacle(wish: RunWish) -> str:
    """
    Return why no worker would take the run; empty if a worker would take it. A database error is returned as text, and
    not raised, because the request may have been made already.
    """
    try:
        return obstacle_before_run(wish)
    except Error as error:
        return f"Whether a worker takes it is not known: {database_error_text(error)}."
