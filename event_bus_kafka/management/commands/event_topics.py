"""``manage.py event_topics``: create, change or check the topics of this service, during a deploy."""

from __future__ import annotations

import json
from typing import Any

import attrs
from django.core.management.base import CommandError, CommandParser

from event_bus_kafka.assembly.observing import observe_events
from event_bus_kafka.assembly.topics import admin, wanted_topics
from event_bus_kafka.errors import BrokerError, ConfigurationError
from event_bus_kafka.kafka import error_codes
from event_bus_kafka.kafka.admin import Admin
from event_bus_kafka.management.arguments import add_json, add_subcommand
from event_bus_kafka.management.examples import OperatorCommand
from event_bus_kafka.operations import topic_plan
from event_bus_kafka.operations.topic_plan import Plan, Result, TopicPlan
from event_bus_kafka.shown import shown

_SHOWN = 20
"""Maximum number of other services' topics that the command prints."""
_DESCRIPTIONS = {
    "plan": "Print what apply would do, and why each topic is wanted.",
    "apply": "Create topics, add partitions and set options. May be repeated. Continues after a topic that fails, but "
    "with exit code 1.",
    "check": "Exit with code 1 if a topic is not as wanted, for pipelines. Changes nothing.",
}


class Command(OperatorCommand):
    example = "event_topics apply"
    help = (
        "Create the topics that this service sends to, reads, or names in EVENT_BUS_KAFKA_TOPICS, and the topics of "
        "its dead letters and of probe_event_bus; change them to match the settings. Topics of other services are "
        "named, but never changed. No topic is ever deleted."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        subcommands = parser.add_subparsers(dest="action", required=True, metavar="SUBCOMMAND")
        for name, text in _DESCRIPTIONS.items():
            added = add_subcommand(subcommands, name, text)
            add_json(added)
            if name == "apply":
                added.add_argument(
                    "--allow-key-moves",
                    action="store_true",
                    help="also add partitions to topics with keys, although keys then move to other partitions",
                )

    def handle(self, *args: Any, **options: Any) -> None:
        observe_events()
        try:
            wanted = wanted_topics()
            client = admin()
            plan = topic_plan.plan(client, wanted)
        except BrokerError as error:
            if error.code == error_codes.UNSUPPORTED_FEATURE:
                raise CommandError(f"Nothing was done: {error.reason}.") from error
            raise CommandError(f"Kafka cannot be asked: {error}") from error
        except ConfigurationError as error:
            raise CommandError(str(error)) from error
        getattr(self, f"_{options['action']}")(client, plan, options)

    def _plan(self, _: Admin, plan: Plan, options: dict[str, Any]) -> None:
        if options["json"]:
            self._print_json(_as_json(plan))
            return
        self._print(plan)
        self.stdout.write(f"To do: event_topics apply. {_count(plan)}" if plan.drifting else "Nothing to do.")

    def _check(self, _: Admin, plan: Plan, options: dict[str, Any]) -> None:
        if options["json"]:
            self._print_json(_as_json(plan))
        else:
            self._print(plan)
        if plan.drifting:
            raise CommandError(f"{_count(plan)} event_topics apply does what can be done.")

    def _apply(self, client: Admin, plan: Plan, options: dict[str, Any]) -> None:
        results = []
        for result in topic_plan.apply(client, plan, allow_key_moves=options["allow_key_moves"]):
            results.append(result)
            if not options["json"]:
                self.stdout.write(_told(result))
        failed = [one for one in results if one.failure]
        if options["json"]:
            self._print_json({"results": [attrs.asdict(one) for one in results]})
        elif not results:
            self.stdout.write("Nothing to do.")
        if failed:
            raise CommandError(f"{len(failed)} of {len(results)} changes were not made: see above.")

    def _print(self, plan: Plan) -> None:
        for one in plan.topics:
            for line in _lines(one):
                self.stdout.write(shown(f"{one.wanted.name}  {line}"))
            if not one.drifts:
                self.stdout.write(shown(f"{one.wanted.name}  as wanted"))
            self.stdout.write(shown(f"    {'; '.join(one.wanted.uses)}"))
        if plan.others:
            more = f" and {len(plan.others) - _SHOWN} more" if len(plan.others) > _SHOWN else ""
            self.stdout.write(shown(f"Topics of others: {', '.join(plan.others[:_SHOWN])}{more}"))

    def _print_json(self, content: Any) -> None:
        self.stdout.write(json.dumps(content, indent=2))


def _lines(one: TopicPlan) -> list[str]:
    return [*(step.text for step in one.steps), *one.obstacles, *one.remarks]


def _told(result: Result) -> str:
    return shown(f"{result.topic}  {result.text}: " + (f"NOT DONE, {result.failure}" if result.failure else "done"))


def _count(plan: Plan) -> str:
    return f"{len(plan.drifting)} of {len(plan.topics)} topics are not as they are wanted."


def _as_json(plan: Plan) -> dict[str, Any]:
    return {
        "topics": [
            {
                "topic": one.wanted.name,
                "uses": list(one.wanted.uses),
                "drift": one.drifts,
                "steps": [step.text for step in one.steps],
                "obstacles": list(one.obstacles),
                "remarks": list(one.remarks),
            }
            for one in plan.topics
        ],
        "others": list(plan.others),
    }
