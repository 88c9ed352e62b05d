"""
The help of each command ends with an example. Commands that change something have ``--apply``, and commands that report
something have ``--json``. This file lists the exceptions.
"""

from __future__ import annotations

import shlex

import pytest
from django.core.management.base import CommandError

from docs.command_table import all_commands, forms_of, options_of, parser_of, table
from event_bus_kafka.management.examples import OperatorCommand

COMMANDS = list(all_commands())
FORMS = [form for command in COMMANDS for form in forms_of(command)]
AT_ONCE = {"consume_events", "relay_events", "produce_event", "probe_event_bus", "event_tail"}
"""The commands without a plan. They change nothing, or the change is their only purpose."""
READING = {
    *("event_dead_letters list", "event_dead_letters show", "event_dead_letters requests", "event_offsets show"),
    *("event_outbox status", "event_outbox parked", "event_bus_status", "event_trace"),
}
WITH_SUBCOMMANDS_FOR_IT = {"event_topics", "event_schemas"}
"""The commands that show a plan with one subcommand and carry it out with another. They have no ``--apply``."""
WITHOUT_JSON = {"consume_events", "relay_events"}
"""
The commands without JSON output. They run for a long time, and their output is for people; monitoring uses their
metrics and exit codes.
"""


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.example.split()[0])
def test_the_help_of_each_command_ends_with_an_example_that_the_parser_accepts(command: OperatorCommand) -> None:
    name, *arguments = shlex.split(command.example)
    assert command.__module__.endswith(f".{name}")
    parser = parser_of(command)
    parser.called_from_command_line = False  # makes the parser raise in place of exiting
    try:
        parser.parse_args(arguments)
    except CommandError as error:
        pytest.fail(f"manage.py {command.example}: {error}")
    shown, wanted = ("".join(text.split()) for text in (parser.format_help(), f"Example: manage.py {command.example}"))
    assert shown.endswith(wanted), "but for the line breaks of argparse"


@pytest.mark.parametrize(("name", "text", "parser"), FORMS, ids=[name for name, *_ in FORMS])
def test_commands_that_plan_a_change_have_the_option_apply_and_all_but_workers_have_the_option_json(
    name: str, text: str, parser: object
) -> None:
    options = options_of(parser)  # type: ignore[arg-type] # of the parametrization
    plans = name not in AT_ONCE | READING and name.split()[0] not in WITH_SUBCOMMANDS_FOR_IT
    assert ("--apply" in options) == plans
    assert ("--json" in options) == (name not in WITHOUT_JSON)
    assert text.endswith(".")
    assert f"``{name}``" in table()
