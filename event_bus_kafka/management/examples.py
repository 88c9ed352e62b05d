"""The base class of this package's commands."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser


class OperatorCommand(BaseCommand):
    """
    Base class of this package's commands. The help of each command ends with an example.

    Unless the help of a command says otherwise, the following holds. A command that changes something prints a plan,
    and carries it out only with ``--apply``. With ``--json``, it prints JSON instead of text. Exit code 1 means that
    the change was not made or that a check failed; exit code 2 means that the arguments are wrong.
    """

    example: str
    """An example of the command's use: its name and its arguments, without ``manage.py``."""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        return super().create_parser(prog_name, subcommand, epilog=f"Example: manage.py {self.example}", **kwargs)
