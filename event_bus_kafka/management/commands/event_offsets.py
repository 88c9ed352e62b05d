"""``manage.py event_offsets``: show or reset the committed offsets of a consumer group."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.core.management.base import CommandError, CommandParser

from event_bus_kafka.assembly.observing import observe_events
from event_bus_kafka.assembly.reading import reader_for
from event_bus_kafka.consuming.offset_metadata import OffsetMetadata
from event_bus_kafka.errors import CannotReset, EventBusError, NotThere
from event_bus_kafka.kafka.reader import Reader
from event_bus_kafka.management.arguments import NOT_DONE, add_apply, add_json, add_subcommand, moment, named, number
from event_bus_kafka.management.examples import OperatorCommand
from event_bus_kafka.operations import group_offsets
from event_bus_kafka.operations.group_members import members_of
from event_bus_kafka.operations.group_offsets import Reset, Standing, Target
from event_bus_kafka.shown import shown, shown_time
from event_bus_kafka.telemetry.error_text import error_text

_COLUMNS = ("PARTITION", "COMMITTED", "START", "END", "LAG", "MARKS")


class Command(OperatorCommand):
    example = "event_offsets reset -g credentials -t certificates --to-earliest --apply"
    help = (
        "Show the committed offsets of a consumer group, or reset them, to read records again or to skip records. A "
        "reset needs all workers of the group stopped. It prints a plan; --apply carries it out."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        subcommands = parser.add_subparsers(dest="action", required=True, metavar="SUBCOMMAND")
        about_show = "Show how far a group is: committed offset, end and lag of each partition, marks, members."
        show = add_subcommand(subcommands, "show", about_show)
        _add_group(show)
        _add_topics(show, "only this topic or partition (default: all for which the group has committed offsets)")
        add_json(show)
        about_reset = "Move a group to other offsets. First stop all workers of the group."
        reset = add_subcommand(subcommands, "reset", about_reset)
        _add_group(reset)
        _add_topics(reset, "topic or partition to reset", required=True)
        _add_targets(reset)
        add_apply(reset)
        add_json(reset)

    def handle(self, *args: Any, **options: Any) -> None:
        observe_events()
        try:
            with reader_for(options["group"]) as reader:
                getattr(self, f"_{options['action']}")(reader, options)
        except (CannotReset, NotThere) as error:
            raise CommandError(str(error)) from error
        except EventBusError as error:
            raise CommandError(error_text(error)) from error

    def _show(self, reader: Reader, options: dict[str, Any]) -> None:
        group = options["group"]
        topics = group_offsets.topics_of(reader, group, options["topic"] or ())
        partitions = group_offsets.partitions_of(reader, topics)
        found = group_offsets.standings(reader, partitions)
        members = members_of(reader, group)
        if options["json"]:
            content = {"group": group, "members": members, "partitions": [_as_json(one) for one in found]}
            self.stdout.write(json.dumps(content, indent=2))
            return
        self._print_table(_COLUMNS, [_cells(one) for one in found])
        self.stdout.write(
            f"Members: {', '.join(members) or 'none' if members is not None else 'these brokers do not list them'}"
        )

    def _reset(self, reader: Reader, options: dict[str, Any]) -> None:
        group = options["group"]
        partitions = group_offsets.partitions_of(reader, options["topic"])
        resets = group_offsets.plan(reader, group, partitions, _target(options))
        if not options["json"]:
            for one in resets:
                self.stdout.write(_planned(one))
        if options["apply"]:
            group_offsets.apply(reader, group, resets)
        if options["json"]:
            planned = [_as_json(one.standing) | {"to": one.to} for one in resets]
            content = {"group": group, "partitions": planned, "applied": options["apply"]}
            self.stdout.write(json.dumps(content, indent=2))
        elif options["apply"]:
            self.stdout.write(self.style.SUCCESS(f"Group {group} is reset. Start its workers again."))
        else:
            self.stdout.write(NOT_DONE)

    def _print_table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
        for row in (columns, *rows):
            line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.stdout.write(shown(line.rstrip()))


def _add_group(parser: CommandParser) -> None:
    parser.add_argument("-g", "--group", required=True, help="consumer group of the workers")


def _add_topics(parser: CommandParser, text: str, *, required: bool = False) -> None:
    text += "; with or without environment prefix, may be repeated"
    parser.add_argument(
        "-t", "--topic", metavar="TOPIC[:PARTITION]", action="append", type=named, required=required, help=text
    )


def _add_targets(parser: CommandParser) -> None:
    targets = parser.add_mutually_exclusive_group(required=True)
    targets.add_argument(
        "--to-time",
        type=moment,
        metavar="TIME",
        help="to the first record at or after TIME (ISO 8601 with time zone)",
    )
    targets.add_argument("--to-offset", type=number(least=0), metavar="OFFSET", help="to this offset")
    targets.add_argument("--to-earliest", action="store_true", help="to the first record that still exists")
    targets.add_argument("--to-latest", action="store_true", help="to the end: all present records are skipped")


def _target(options: dict[str, Any]) -> Target:
    return Target(earliest=options["to_earliest"], offset=options["to_offset"], time=options["to_time"])


def _planned(reset: Reset) -> str:
    standing, to = reset.standing, reset.to
    before = str(standing.committed.offset) if standing.committed else "nothing committed"
    if standing.is_gone:
        effect = f"{before} is not there; {standing.there.end - to} to read"
    elif to == standing.begins:
        effect = "as it is"
    elif to > standing.begins:
        effect = f"{to - standing.begins} skipped"
    else:
        effect = f"{standing.begins - to} come again"
    kept = _marks(OffsetMetadata.read(reset.position.metadata))
    return f"{standing.name}  {before} → {to}: {effect}{f'; keeps {kept}' if kept else ''}"


def _cells(standing: Standing) -> tuple[str, ...]:
    committed = str(standing.committed.offset) if standing.committed else "–"
    return (
        standing.name,
        f"{committed} (not there)" if standing.is_gone else committed,
        str(standing.there.start),
        str(standing.there.end),
        str(standing.lag),
        _marks(standing.metadata) or "–",
    )


def _marks(marks: OffsetMetadata) -> str:
    taken = f"quarantined: {', '.join(map(str, sorted(marks.taken)))}" if marks.taken else ""
    time = f"began at {shown_time(marks.offset_time)}" if marks.offset_time is not None else ""
    return "; ".join(filter(None, (taken, time)))


def _as_json(standing: Standing) -> dict[str, Any]:
    marks = standing.metadata
    return {
        "topic": standing.partition[0],
        "partition": standing.partition[1],
        "committed": standing.committed.offset if standing.committed else None,
        "start": standing.there.start,
        "end": standing.there.end,
        "lag": standing.lag,
        "marks": {
            "taken": sorted(marks.taken),
            "offset_time": shown_time(marks.offset_time) if marks.offset_time is not None else None,
        },
    }
