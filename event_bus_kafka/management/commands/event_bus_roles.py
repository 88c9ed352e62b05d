"""``manage.py event_bus_roles``: create groups of users who may view or operate the event bus in Django's admin."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import Error

from event_bus_kafka.errors import ConfigurationError
from event_bus_kafka.management.arguments import NOT_DONE, add_apply, add_json
from event_bus_kafka.management.examples import OperatorCommand
from event_bus_kafka.operations.roles import RolePlan, plan_roles
from event_bus_kafka.telemetry.error_text import database_error_text


class Command(OperatorCommand):
    example = "event_bus_roles --apply"
    help = (
        "Create three groups of users for Django's admin: 'event bus viewer' may view the event bus, with personal "
        "data masked; 'event bus operator' may also pause, release, discard and replay; 'event bus data' may view "
        "data unmasked. Add users to the groups in the admin. Existing groups get missing permissions, and lose none. "
        "Prints the plan; --apply carries it out."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_apply(parser)
        add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            plans = plan_roles()
            if options["apply"]:
                for plan in plans:
                    plan.apply()
        except ConfigurationError as error:
            raise CommandError(str(error)) from error
        except Error as error:
            raise CommandError(f"The database cannot be used: {database_error_text(error)}.") from error
        self._print(plans, applied=options["apply"], as_json=options["json"])

    def _print(self, plans: Sequence[RolePlan], *, applied: bool, as_json: bool) -> None:
        if as_json:
            content = [{"group": one.group, "exists": one.exists, "adds": list(one.lacks)} for one in plans]
            self.stdout.write(json.dumps({"groups": content, "applied": applied}, indent=2))
            return
        for plan in plans:
            self.stdout.write(_described(plan))
        if all(plan.is_done for plan in plans):
            self.stdout.write("Nothing to do.")
        else:
            self.stdout.write(self.style.SUCCESS("Done.") if applied else NOT_DONE)


def _described(plan: RolePlan) -> str:
    state = "is there" if plan.is_done else "lacks" if plan.exists else "would be made with"
    return f"{plan.group}  {state}: {', '.join(plan.lacks or plan.rights)}"
