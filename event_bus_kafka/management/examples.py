"""The base class of this package's commands."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser


class OperatorCommand(BaseCommand):
    """
    Base class of this package's commands. The help of a command ends with an example. A command that changes something
    prints its plan, and carries out the plan only with ``--apply``. ``--json`` prints JSON instead of text. Exit codes:
    1: the change was not made, or a check failed; 2: the arguments are wrong.
    """

    example: str
    """The example: command and arguments, without ``manage.py``."""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        return super().create_parser(prog_name, subcommand, epilog=f"Example: manage.py {self.example}", **kwargs)
