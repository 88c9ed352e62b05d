"""``manage.py event_trace``: find out where an event is."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser
from openedx_events.tooling import load_all_signals

from event_bus_kafka.assembly.observing import observe_events
from event_bus_kafka.assembly.whereabouts import where_is
from event_bus_kafka.errors import EventBusError, NotThere
from event_bus_kafka.management.arguments import add_json, moment, named, seconds
from event_bus_kafka.management.examples import OperatorCommand
from event_bus_kafka.operations.whereabouts.answer import Question
from event_bus_kafka.operations.whereabouts.sentences import as_json, sentences
from event_bus_kafka.telemetry.error_text import error_text


class Command(OperatorCommand):
    example = "event_trace 5c3f8a2e-fe6b-11f0-9c1d-0242ac120002"
    help = (
        "Find an event: in the outbox, waiting or parked; in Kafka, with the progress of each group; as a dead letter, "
        "with the state of each receiver; in an inbox; or perhaps deleted. Names the places that could not be "
        "searched. No consumer group is joined or moved, and no event data is printed. Exit code 1: the event was "
        "found nowhere."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", nargs="?", type=_event_id, metavar="ID", help="id of the event, as logs name it")
        parser.add_argument("--key", help="find all events with this key (plain text), instead of one event by its id")
        parser.add_argument(
            "-t",
            "--topic",
            metavar="TOPIC[:PARTITION]",
            action="append",
            type=_topic,
            default=[],
            help="search only this topic in Kafka, with or without prefix; may be repeated (default: all topics of "
            "this service's routes and subscriptions)",
        )
        parser.add_argument("--event-type", default="", help="search only the routes of this event type")
        parser.add_argument(
            "--since",
            type=moment,
            metavar="TIME",
            help="search records from TIME on; ISO 8601 with time zone (default: a minute before the time in the id "
            "or, if the id has no time, the first record)",
        )
        parser.add_argument(
            "--seconds", type=seconds, default=10.0, help="read records for at most SECONDS (default: 10)"
        )
        add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        if (options["id"] is None) == (options["key"] is None):
            raise CommandError("Name an event by its id, or events by --key.", returncode=2)
        load_all_signals()
        observe_events()
        try:
            answer = where_is(_question(options))
        except NotThere as error:
            raise CommandError(str(error)) from error
        except EventBusError as error:
            raise CommandError(error_text(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(as_json(answer), indent=2))
        else:
            self.stdout.write("\n".join(sentences(answer)))
        if not answer.is_found:
            raise CommandError("It was found nowhere.")


def _question(options: dict[str, Any]) -> Question:
    return Question(
        event_id=options["id"],
        key=options["key"],
        topics=tuple(options["topic"]),
        event_type=options["event_type"],
        since=options["since"],
        seconds=options["seconds"],
    )


def _event_id(text: str) -> UUID:
    """Return the event id in ``text``. Raises ArgumentTypeError if ``text`` is not a UUID."""
    try:
        return UUID(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a UUID, the form of event ids") from None


def _topic(text: str) -> str:
    """Return ``text`` if it has the form ``topic`` or ``topic:partition``. Otherwise raise ArgumentTypeError."""
    named(text)
    return text
