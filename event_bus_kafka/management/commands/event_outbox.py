"""``manage.py event_outbox``: show the outbox, and release or discard the rows that Kafka refuses."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import attrs
from django.core.management.base import CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS, Error, connections

from event_bus_kafka.assembly.observing import observe_events
from event_bus_kafka.conf.routes import full_topic
from event_bus_kafka.conf.settings import SettingsTable, settings
from event_bus_kafka.management.arguments import NOT_DONE, add_apply, add_json, add_subcommand, days
from event_bus_kafka.management.examples import OperatorCommand
from event_bus_kafka.models import ParkedRecord, WriterSchema
from event_bus_kafka.outbox import backlog
from event_bus_kafka.outbox.backlog import Backlog
from event_bus_kafka.shown import shown, shown_time
from event_bus_kafka.telemetry.error_text import database_error_text
from event_bus_kafka.wire.headers import text_of

_SHOWN = 50
"""Maximum number of rows that a plan lists."""


class Command(OperatorCommand):
    example = "event_outbox release --code MSG_SIZE_TOO_LARGE --apply"
    help = (
        "The outbox holds events that wait for a relay, and parked events, which Kafka refuses. Subcommands that "
        "change something print a plan; --apply carries it out. No event data is printed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        subcommands = parser.add_subparsers(dest="action", required=True, metavar="SUBCOMMAND")
        for name, text in _DESCRIPTIONS.items():
            added = add_subcommand(subcommands, name, text)
            added.add_argument("--database", default=DEFAULT_DB_ALIAS, help="alias of the database (default: default)")
            add_json(added)
            if name in ("parked", "release", "discard"):
                added.add_argument("ids", metavar="ID", nargs="*", type=int, help="ids of rows, as listed by parked")
                added.add_argument("-t", "--topic", default="", help="only rows of this topic, with or without prefix")
                added.add_argument("--code", default="", help="only rows with this code")
            if name in ("release", "discard"):
                added.add_argument("--all", action="store_true", help="all parked rows")
            if name == "purge":
                about = f"delete rows that were parked more than DAYS ago (default: {SettingsTable.retention.name})"
                added.add_argument("--days", type=days, help=about)
            if name in ("release", "discard", "purge"):
                add_apply(added)

    def handle(self, *args: Any, **options: Any) -> None:
        observe_events()
        alias = options["database"]
        if alias not in connections:
            raise CommandError(f"There is no database {alias!r}: name one of {', '.join(connections)}.")
        try:
            if not backlog.is_migrated(connections[alias]):
                raise CommandError(f"The outbox is missing in database {alias!r}: run manage.py migrate.")
            getattr(self, f"_{options['action']}")(alias, options)
        except Error as error:
            raise CommandError(f"The database cannot be used: {database_error_text(error)}.") from error

    def _status(self, alias: str, options: dict[str, Any]) -> None:
        found = Backlog.of(alias)
        if options["json"]:
            self._print_json(attrs.asdict(found) | {"stalled": found.is_stalled})
        else:
            parked = ", ".join(f"{count} × {code}" for code, count in found.parked.items()) or "none"
            waiting = f"{found.depth}, the oldest for {found.oldest:.1f} s" if found.depth else "none"
            self.stdout.write(f"waiting  {waiting}\nparked   {shown(parked)}")
        if found.is_stalled:
            raise CommandError("The oldest row waits for too long: is manage.py relay_events running, and can it send?")

    def _parked(self, alias: str, options: dict[str, Any]) -> None:
        self._print_rows(self._selected(alias, options), options)

    def _release(self, alias: str, options: dict[str, Any]) -> None:
        self._change(alias, options, "released", lambda rows: rows.release())

    def _discard(self, alias: str, options: dict[str, Any]) -> None:
        self._change(alias, options, "discarded", lambda rows: rows.discard())

    def _purge(self, alias: str, options: dict[str, Any]) -> None:
        days = options["days"] or settings.retention
        count = backlog.purge(alias, days) if options["apply"] else backlog.expired(alias, days)
        self._say_done(options, count, f"were parked more than {days:g} days ago and would be purged", "purged")

    def _change(self, alias: str, options: dict[str, Any], done: str, act: Any) -> None:
        if sum(map(bool, (options["ids"], options["topic"] or options["code"], options["all"]))) != 1:
            raise CommandError("Say which: either ids, or filters, or --all.")
        rows = self._selected(alias, options)
        if not options["apply"] and not options["json"]:
            self._print_rows(rows, options)
        count = act(rows) if options["apply"] else rows.count()
        self._say_done(options, count, f"would be {done}", done)

    def _selected(self, alias: str, options: dict[str, Any]) -> Any:
        topics = {options["topic"], full_topic(options["topic"])} if options["topic"] else ()
        rows = ParkedRecord.objects.using(alias).matching(ids=options["ids"], topics=topics, code=options["code"])
        missing = set(options["ids"]) - set(rows.values_list("pk", flat=True))
        if missing:
            raise CommandError(f"There is no parked row {', '.join(map(str, sorted(missing)))}.")
        return rows

    def _say_done(self, options: dict[str, Any], count: int, plan: str, done: str) -> None:
        if options["json"]:
            self._print_json({"rows": count, "applied": options["apply"]})
        elif options["apply"]:
            self.stdout.write(self.style.SUCCESS(f"{count} rows {done}."))
        else:
            self.stdout.write(f"{count} rows {plan}.\n{NOT_DONE}")

    def _print_rows(self, rows: Any, options: dict[str, Any]) -> None:
        found = list(rows.defer("body"))
        schemas = WriterSchema.objects.using(rows.db).in_bulk({row.schema_id for row in found})  # may lack some
        described_rows = [_description(row, schemas.get(row.schema_id)) for row in found]
        if options["json"]:
            self._print_json(described_rows)
            return
        for one in described_rows[:_SHOWN]:
            self.stdout.write(_line(one.values()))
        if len(described_rows) > _SHOWN:
            self.stdout.write(f"… and {len(described_rows) - _SHOWN} more")
        if not described_rows:
            selected = options["ids"] or options["topic"] or options["code"]
            self.stdout.write("No such parked rows." if selected else "No parked rows.")

    def _print_json(self, content: Any) -> None:
        self.stdout.write(json.dumps(content, indent=2))


_DESCRIPTIONS = {
    "status": "Show how many rows wait, for how long, and how many are parked. Exit code 1 if the oldest row has "
    "waited for more than five minutes; parked rows do not count.",
    "parked": "List parked rows, with Kafka's reason for the refusal.",
    "release": "Move parked rows back into the outbox, to be sent again before all later rows that still wait.",
    "discard": "Delete parked rows for good.",
    "purge": "Delete rows that were parked long ago, as relays do once a day.",
}


def _description(row: ParkedRecord, schema: WriterSchema | None) -> dict[str, Any]:
    return {
        "id": row.pk,
        "topic": row.topic,
        "event_type": schema.event_type if schema else text_of(bytes(row.headers), "ce_type") or "unknown",
        "parked_at": shown_time(row.parked_at, "seconds"),
        "code": row.code,
        "reason": row.reason,
    }


def _line(cells: Iterable[Any]) -> str:
    return "  ".join(map(shown, cells))
