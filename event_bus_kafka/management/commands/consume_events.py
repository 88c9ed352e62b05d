"""
``manage.py consume_events``: run a worker. Django uses this command if this app precedes openedx_events in
INSTALLED_APPS.
"""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.module_loading import import_string
from openedx_events.event_bus import EventBusConsumer
from openedx_events.tooling import load_all_signals

from event_bus_kafka.conf.settings import settings
from event_bus_kafka.conf.subscriptions import subscription
from event_bus_kafka.errors import ConfigurationError
from event_bus_kafka.management.arguments import add_health_port
from event_bus_kafka.management.examples import OperatorCommand

_OWN = {
    "topic": "-t",
    "group_id": "-g",
    "concurrency": "--concurrency",
    "with_relay": "--with-relay",
    "health_port": "--health-port",
}
"""Name of a consumer's argument → the option of this command that sets the argument."""


def json_object(text: str) -> dict[str, Any]:
    """Return the JSON object in ``text``. Raises ArgumentTypeError if ``text`` is not a JSON object."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ArgumentTypeError(f"not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise ArgumentTypeError('not a JSON object, such as {"option": 1}')
    return value


class Command(OperatorCommand):
    example = "consume_events -t certificates -g credentials"
    help = (
        "Read topics as a member of a consumer group and send each event to this service's receivers. Runs until "
        "SIGTERM or SIGINT. Exit codes: 0 clean stop, or consumers disabled by setting; 1 wrong configuration; 2 "
        "forced stop (time limit or second signal); 3 a receiver asked to exit, or the Kafka client failed for good; "
        "4 too many errors in a row."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "-t",
            "--topic",
            action="append",
            default=[],
            help="topic to read, without environment prefix; may be repeated (default: the group's topics in "
            "EVENT_BUS_KAFKA_SUBSCRIPTIONS)",
        )
        parser.add_argument("-g", "--group_id", help="consumer group (default: the only group in that setting)")
        parser.add_argument(
            "--concurrency",
            type=int,
            help="number of receivers that run at the same time (default: EVENT_BUS_KAFKA_CONSUMER_CONCURRENCY)",
        )
        parser.add_argument(
            "--with-relay", action="store_true", help="also send the rows of the outbox, as relay_events does"
        )
        add_health_port(parser)
        parser.add_argument(
            "--extra", type=json_object, default={}, help="JSON object with further options of the consumer"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        load_all_signals()
        given = options["topic"]
        try:
            what = subscription([given] if isinstance(given, str) else given, options["group_id"])
        except ConfigurationError as error:
            raise CommandError(str(error)) from error
        # consumers of other event buses accept one topic only, as text
        topic = what.topics[0] if len(what.topics) == 1 else what.topics
        own: dict[str, Any] = {"topic": topic, "group_id": what.group}
        own |= {name: options[name] for name in ("concurrency", "health_port")}
        given_options = {name: value for name, value in own.items() if value is not None}
        if options["with_relay"]:
            given_options["with_relay"] = True
        if twice := given_options.keys() & options["extra"].keys():
            ways = ", ".join(f"{_OWN[name]} for {name}" for name in sorted(twice))
            raise CommandError(f"--extra contains options with arguments of their own: use {ways} instead.")
        _consumer(**given_options, **options["extra"]).consume_indefinitely()


def _consumer(**options: Any) -> EventBusConsumer:
    """Create the consumer that EVENT_BUS_CONSUMER names, which may belong to another event bus."""
    path = settings.consumer
    if path is None:
        raise CommandError("EVENT_BUS_CONSUMER is not set; this package's is 'event_bus_kafka.KafkaEventConsumer'.")
    try:
        consumer = import_string(path)(**options)
    except (ImportError, TypeError) as error:
        raise CommandError(f"EVENT_BUS_CONSUMER = {path!r} cannot be used: {error}.") from error
    if not isinstance(consumer, EventBusConsumer):
        raise CommandError(f"EVENT_BUS_CONSUMER = {path!r} is no EventBusConsumer.")
    return consumer
