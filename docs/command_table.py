"""Generates the table of all commands from their parsers."""

from __future__ import annotations

from argparse import _SubParsersAction
from collections.abc import Iterator
from pkgutil import iter_modules
from typing import cast

from django.core.management import load_command_class
from django.core.management.base import CommandParser

from event_bus_kafka.management import commands
from event_bus_kafka.management.examples import OperatorCommand

APP = "event_bus_kafka"
Form = tuple[str, str, CommandParser]
"""Name, sentence and parser of a command or one of its subcommands."""


def all_commands() -> Iterator[OperatorCommand]:
    """Yield each command of the package."""
    for module in iter_modules(commands.__path__):
        yield cast(OperatorCommand, load_command_class(APP, module.name))


def parser_of(command: OperatorCommand) -> CommandParser:
    return command.create_parser("manage.py", command.example.split()[0])


def forms_of(command: OperatorCommand) -> list[Form]:
    """Return the subcommands of a command. If it has no subcommands, return the command itself."""
    name, parser = command.example.split()[0], parser_of(command)
    for action in parser._actions:
        if isinstance(action, _SubParsersAction):
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
            return [(f"{name} {one}", helps[one], cast(CommandParser, inner)) for one, inner in action.choices.items()]
    return [(name, command.help, parser)]


def options_of(parser: CommandParser) -> set[str]:
    """Return all options of a parser."""
    return {option for action in parser._actions for option in action.option_strings}


def table() -> str:
    """Return the table of commands."""
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: 26 54 10 10", ""]
    rows = [("Command", "Does", "Plan first", "JSON")]
    for command in all_commands():
        for name, text, parser in forms_of(command):
            options = options_of(parser)
            does = text.partition(". ")[0].rstrip(".")
            plans, prints_json = ("yes" if one in options else "–" for one in ("--apply", "--json"))
            rows.append((f"``{name}``", does, plans, prints_json))
    for first, *rest in rows:
        lines += [f"   * - {first}", *(f"     - {cell}" for cell in rest)]
    return "\n".join(lines) + "\n"


def examples() -> str:
    """Return an example of each command. The command's help shows the same example."""
    lines = [f"   $ manage.py {command.example}" for command in all_commands()]
    return "\n".join([".. code-block:: console", "", *lines, ""])
