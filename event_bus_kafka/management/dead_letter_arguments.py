"""Adds the subcommands and arguments of ``manage.py event_dead_letters``."""

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
    _add_list(add("list", "List dead letters, with record, failed receivers, attempts and errors."))
    _add_show(add("show", "Show everything about one dead letter except event data."))
    _add_take(
        add(
            "take",
            "Turn a record that crashes its workers into a dead letter, so that workers skip the record. First stop "
            "all workers of the group.",
        )
    )
    _add_replay(
        add(
            "replay",
            "Call the pending receivers again, in this service. A letter is deleted when all its receivers succeed. "
            "Exit code 1 if a receiver failed again or could not run.",
        )
    )
    _add_requests(add("requests", "List replay requests. With ID: show the progress and the failures of one request."))
    for name, does in (
        ("pause", "Pause a replay request: workers begin nothing more of it until it is resumed."),
        ("resume", "Resume a paused replay request."),
        ("cancel", "End a replay request: workers begin nothing more of it."),
    ):
        _add_change(add(name, does))
    _add_discard(add("discard", "Delete dead letters for good."))
    _add_import(add("import", "Move dead letters from their topic into the table, from where the last import ended."))
    _add_purge(add("purge", "Delete dead letters whose last failure was long ago, as workers do once a day."))


def selection(options: dict[str, Any]) -> Selection:
    """
    Return the criteria that the arguments give. Raises CommandError if arguments conflict or are missing, or if an id
    is unknown.
    """
    filters = {name: options[name] for name in _FILTERS if options.get(name)}
    ids = tuple(options.get("ids", ()))
    if options["action"] == "replay":
        filters.pop("receiver", None)
        if options["instead_of"] and not options["receiver"]:
            raise CommandError("--instead-of needs --receiver: the receiver that runs instead.")
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
    _add_filters(parser, receiver="for which this receiver is pending")
    parser.add_argument(
        "--limit", type=number(least=1), default=20, help="list LIMIT dead letters at most (default: 20)"
    )
    parser.add_argument("--oldest", action="store_true", help="list the oldest failures first")
    parser.add_argument(
        "--settled",
        action="store_true",
        help="list receivers that are no longer pending, also of deleted dead letters; kept for "
        "EVENT_BUS_KAFKA_HISTORY days",
    )
    add_json(parser)


def _add_show(parser: CommandParser) -> None:
    parser.add_argument("id", type=number(least=1), help="id of a dead letter, as listed")
    add_json(parser)
    parser.add_argument(
        "--unmasked",
        action="store_true",
        help="also show key and event data, which may be personal; needs the schema registry",
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
        help="run only this receiver: a pending one, or one that replaces a pending receiver that no longer exists",
    )
    parser.add_argument(
        "--instead-of",
        metavar="RECEIVER",
        help="the pending receiver that --receiver replaces; needed if several no longer exist",
    )
    parser.add_argument(
        "--of-request",
        metavar="ID",
        type=number(least=1),
        help="select the letters of this replay request that have no result yet; its receivers run, unless "
        "--receiver names another",
    )
    parser.add_argument(
        "--request",
        action="store_true",
        help="run no receiver here: make a replay request for each group, which the group's workers carry out",
    )
    parser.add_argument("--rate", type=rate, help="with --request: replay at most RATE dead letters per second")
    parser.add_argument(
        "--stop-after",
        type=number(least=1),
        metavar="N",
        help=f"with --request: end the request after N failures in a row (default: {STOP_AFTER})",
    )
    parser.add_argument("--reason", default="", help="with --request: the reason, shown with the request")
    add_apply(parser)
    add_json(parser)


def _add_requests(parser: CommandParser) -> None:
    parser.add_argument("id", metavar="ID", nargs="?", type=number(least=1), help="show only this request")
    parser.add_argument("--limit", type=number(least=1), default=20, help="list LIMIT requests at most (default: 20)")
    parser.add_argument("--open", action="store_true", help="list only requests that have not ended")
    add_json(parser)


def _add_change(parser: CommandParser) -> None:
    parser.add_argument("id", metavar="ID", type=number(least=1), help="number of a request, as listed")
    add_apply(parser)
    add_json(parser)


def _add_discard(parser: CommandParser) -> None:
    _add_selection(parser, receiver="for which this receiver is pending")
    add_apply(parser)
    add_json(parser)


def _add_import(parser: CommandParser) -> None:
    _add_group(parser)
    add_apply(parser)
    add_json(parser)


def _add_purge(parser: CommandParser) -> None:
    setting = SettingsTable.retention
    parser.add_argument(
        "--days", type=days, help=f"delete letters whose last failure was more than DAYS ago (default: {setting.name})"
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
