"""Arguments and argument types that several commands share."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentTypeError
from collections.abc import Callable
from math import inf
from typing import Any

from django.core.management.base import CommandParser

from event_bus_kafka.conf.settings import PORT, SettingsTable
from event_bus_kafka.consuming.starting_offsets import milliseconds
from event_bus_kafka.operations.group_offsets import Named, Target

NOT_DONE = "Nothing was done: repeat it with --apply."
_MOST = 2**63 - 1
"""The largest possible id or offset."""


def number(*, least: int) -> Callable[[str], int]:
    """Return an argument type: a whole number of at least ``least``."""

    def number(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= _MOST:
            raise ArgumentTypeError(f"{text!r} is not a whole number of at least {least}")
        return int(text)

    return number


def moment(text: str) -> int:
    """Argument type: a time in ISO 8601. Returns milliseconds since the epoch."""
    try:
        return milliseconds(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def place(text: str) -> Target:
    """
    Argument type: a place in a topic. It is an offset, a time, ``earliest``, or ``latest``, which is the topic's
    present end.
    """
    try:
        return Target.parse(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def named(text: str) -> Named:
    """Argument type: ``topic`` or ``topic:partition``."""
    try:
        return Named.parse(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not of the form topic or topic:partition") from None


def days(text: str) -> float:
    """Argument type: a number of days."""
    try:
        return SettingsTable.retention.kind.read(float(text))
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not {SettingsTable.retention.kind.expects}") from None


def rate(text: str) -> float:
    """Argument type: a rate per second, above 0."""
    return _above_0(text, "number")


def seconds(text: str) -> float:
    """Argument type: a number of seconds above 0."""
    return _above_0(text, "number of seconds")


def port(text: str) -> int:
    """Argument type: a port of this host; 0: no port."""
    try:
        return PORT.read(int(text))
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not {PORT.expects}") from None


def add_subcommand(subcommands: Any, name: str, text: str) -> CommandParser:
    """
    Add a subcommand. Django's own options are also accepted after the subcommand, but only the help of the whole
    command shows them.
    """
    parser: CommandParser = subcommands.add_parser(name, help=text, description=text)
    hidden: dict[str, Any] = {"default": SUPPRESS, "help": SUPPRESS}
    for option in ("--settings", "--pythonpath"):
        parser.add_argument(option, **hidden)
    parser.add_argument("-v", "--verbosity", type=int, choices=range(4), **hidden)
    for option in ("--traceback", "--no-color", "--force-color", "--skip-checks"):
        parser.add_argument(option, action="store_true", **hidden)
    return parser


def add_health_port(parser: CommandParser) -> None:
    """Add ``--health-port``."""
    text = "port that answers to /live, /ready and /metrics; 0: none (default: EVENT_BUS_KAFKA_HEALTH_PORT)"
    parser.add_argument("--health-port", type=port, metavar="PORT", help=text)


def add_apply(parser: CommandParser) -> None:
    """Add ``--apply``."""
    text = "carry out the plan; without this option the plan is only printed"
    parser.add_argument("--apply", action="store_true", help=text)


def add_json(parser: CommandParser, text: str = "print JSON") -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help=text)


def _above_0(text: str, what: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found < inf:
        raise ArgumentTypeError(f"{text!r} is not a {what} above 0")
    return found
