"""Commands show an example at the end of their help."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser


class OperatorCommand(BaseCommand):
    """
    A command of this package: its help ends with an example. What changes something prints its plan, and does it with
    ``--apply``; ``--json`` prints JSON in place of text. Exit code 1: it was not done, or a check failed; 2: the
    arguments are wrong.
    """

    example: str
    """Command and arguments, as they stand after ``manage.py``."""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        return super().create_parser(prog_name, subcommand, epilog=f"Example: manage.py {self.example}", **kwargs)
