"""The arguments of ``manage.py event_dead_letters``."""

from __future__ import annotations

from argparse import ArgumentTypeError
from functools import partial
from typing import Any

from django.core.management.base import CommandError, CommandParser

from event_bus_kafka.conf.settings import SettingsTable
from event_bus_kafka.management.arguments import add_apply, add_json, add_subcommand, days, number, rate
from event_bus_kafka.operations.dead_letters.coordinates import Coordinates
from event_bus_kafka.operations.dead_letters.request_plan import STOP_AFTER
from event_bus_kafka.operations.dead_letters.selection import Selection

SAY_WHICH = "Say which: either ids, or filters, or --all (or, for a replay, --of-request)."
_FILTERS = ("group", "topic", "event_type", "receiver")


def add_subcommands(parser: CommandParser) -> None:
    """Add all subcommands with their arguments."""
    subcommands = parser.add_subparsers(dest="action", required=True, metavar="SUBCOMMAND")
    add = partial(add_subcommand, subcommands)
    _add_list(add("list", "List dead letters: where, who failed, how often, why."))
    _add_show(add("show", "Show one dead letter: everything but event data."))
    _add_take(
        add(
            "take",
            "Make a dead letter of one record that crashes its workers, so that they pass over it. Stop the workers of "
            "the group first.",
        )
    )
    _add_replay(
        add(
            "replay",
            "Run the receivers that failed again, in this service. What succeeds is deleted. Exit code 1 if anything "
            "failed or could not run.",
        )
    )
    _add_requests(
        add(
            "requests",
            "List requests to replay dead letters or topics, or to backfill; with ID, report what came of one so far.",
        )
    )
    for name, does in (
        ("pause", "Pause a replay request: nothing of it begins any more until it is resumed."),
        ("resume", "Resume a replay request that is paused."),
        ("cancel", "End a replay request: nothing of it begins any more."),
    ):
        _add_change(add(name, does))
    _add_discard(add("discard", "Delete dead letters for good."))
    _add_import(add("import", "Move dead letters from their topic into the table, from where the last import ended."))
    _add_purge(add("purge", "Delete dead letters that failed last long ago, as workers do once a day."))


def selection(options: dict[str, Any]) -> Selection:
    """Return the selection by the arguments. Raises CommandError if there is none, or more than one."""
    filters = {name: options[name] for name in _FILTERS if options.get(name)}
    ids = tuple(options.get("ids", ()))
    if options["action"] == "replay":
        filters.pop("receiver", None)
        if options["instead_of"] and not options["receiver"]:
            raise CommandError("--instead-of says in whose place --receiver runs: name that too.")
        if not options["request"] and any(options[name] for name in ("rate", "stop_after", "reason")):
            raise CommandError("--rate, --stop-after and --reason belong to --request.")
    if "all" in options:
        ways = [bool(ids), bool(filters), options["all"]]
        if sum(ways) != 1:
            raise CommandError(SAY_WHICH)
    selected = Selection(ids=ids, **filters)
    if unknown := selected.unknown_ids():
        raise CommandError(f"There is no dead letter {', '.join(map(str, unknown))}.")
    return selected


def _add_list(parser: CommandParser) -> None:
    _add_filters(parser, receiver="that have still to reach this receiver")
    parser.add_argument(
        "--limit", type=number(least=1), default=20, help="list LIMIT dead letters at most (default: 20)"
    )
    parser.add_argument("--oldest", action="store_true", help="list the oldest failures first")
    parser.add_argument(
        "--settled",
        action="store_true",
        help="list the receivers' parts that are settled, also of deleted dead letters: kept for the days of "
        "EVENT_BUS_KAFKA_HISTORY",
    )
    add_json(parser)


def _add_show(parser: CommandParser) -> None:
    parser.add_argument("id", type=number(least=1), help="id of a dead letter, as listed")
    add_json(parser)
    parser.add_argument(
        "--unmasked",
        action="store_true",
        help="show key and event data too, which may be personal; the schema registry is asked for their schemas",
    )


def _add_take(parser: CommandParser) -> None:
    parser.add_argument(
        "coordinates",
        metavar="TOPIC:PARTITION:OFFSET",
        type=_coordinates,
        help="coordinates of the record, with the topic's full name, as in logs",
    )
    _add_group(parser)
    add_apply(parser)
    add_json(parser)


def _add_replay(parser: CommandParser) -> None:
    _add_selection(parser)
    parser.add_argument(
        "--receiver",
        help="run this receiver alone: if it has still to succeed, or in place of one that no longer exists",
    )
    parser.add_argument(
        "--instead-of",
        metavar="RECEIVER",
        help="the receiver in whose place --receiver runs; needed if several no longer exist",
    )
    parser.add_argument(
        "--of-request",
        metavar="ID",
        type=number(least=1),
        help="the letters of this replay request that had no turn yet, by the receivers that it names unless "
        "--receiver names another",
    )
    parser.add_argument(
        "--request",
        action="store_true",
        help="run no receiver here: make a request for each group, whose workers replay between their own records",
    )
    parser.add_argument("--rate", type=rate, help="with --request: replay RATE dead letters a second at most")
    parser.add_argument(
        "--stop-after",
        type=number(least=1),
        metavar="N",
        help=f"with --request: end it after N failures in a row (default: {STOP_AFTER})",
    )
    parser.add_argument("--reason", default="", help="with --request: the reason, shown with the request")
    add_apply(parser)
    add_json(parser)


def _add_requests(parser: CommandParser) -> None:
    parser.add_argument("id", metavar="ID", nargs="?", type=number(least=1), help="report on this request alone")
    parser.add_argument("--limit", type=number(least=1), default=20, help="list LIMIT requests at most (default: 20)")
    parser.add_argument("--open", action="store_true", help="list only requests that have not ended")
    add_json(parser)


def _add_change(parser: CommandParser) -> None:
    parser.add_argument("id", metavar="ID", type=number(least=1), help="number of a request, as listed")
    add_apply(parser)
    add_json(parser)


def _add_discard(parser: CommandParser) -> None:
    _add_selection(parser, receiver="that have still to reach this receiver")
    add_apply(parser)
    add_json(parser)


def _add_import(parser: CommandParser) -> None:
    _add_group(parser)
    add_apply(parser)
    add_json(parser)


def _add_purge(parser: CommandParser) -> None:
    setting = SettingsTable.retention
    parser.add_argument(
        "--days", type=days, help=f"delete letters that failed last more than DAYS ago (default: {setting.name})"
    )
    add_apply(parser)
    add_json(parser)


def _add_selection(parser: CommandParser, *, receiver: str = "") -> None:
    parser.add_argument("ids", metavar="ID", nargs="*", type=number(least=1), help="ids of dead letters, as listed")
    _add_filters(parser, receiver=receiver)
    parser.add_argument("--all", action="store_true", help="all dead letters of this service")


def _add_filters(parser: CommandParser, *, receiver: str) -> None:
    parser.add_argument("-g", "--group", help="only letters of this consumer group")
    parser.add_argument("-t", "--topic", help="only letters of this topic, with or without environment prefix")
    parser.add_argument("--event-type", help="only letters of this event type")
    if receiver:
        parser.add_argument("--receiver", help=f"only letters {receiver}, named as listed")


def _add_group(parser: CommandParser) -> None:
    parser.add_argument("-g", "--group", required=True, help="consumer group of the workers")


def _coordinates(text: str) -> Coordinates:
    try:
        return Coordinates.parse(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not of the form topic:partition:offset") from None
