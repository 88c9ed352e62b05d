"""``manage.py event_schemas``: print, check, register or export the schemas of this service's events."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
from django.core.management.base import CommandError, CommandParser
from openedx_events.tooling import load_all_signals

from event_bus_kafka.assembly.observing import observe_events
from event_bus_kafka.assembly.schema_registry import registering, subjects
from event_bus_kafka.errors import EventBusError
from event_bus_kafka.management.arguments import add_json, add_subcommand
from event_bus_kafka.management.examples import OperatorCommand
from event_bus_kafka.operations.schemas import own_schemas, registration, schema_check
from event_bus_kafka.operations.schemas.registration import Registration
from event_bus_kafka.operations.schemas.schema_check import SchemaFinding, SchemaStanding
from event_bus_kafka.operations.schemas.schema_directory import SchemaDirectory
from event_bus_kafka.schemas.verdict import LEVELS
from event_bus_kafka.shown import shown

_DESCRIPTIONS = {
    "show": "Print the schemas with their subjects.",
    "check": "Compare the schemas with the registry's or a directory's. Exit code 1 if a schema is not compatible.",
    "register": "Register the schemas of keys and values. May be repeated. Continues after a schema that fails, but "
    "with exit code 1.",
    "export": "Write the schemas into a directory, to be kept with the code.",
}


class Command(OperatorCommand):
    example = "event_schemas check --against schemas --level FULL_TRANSITIVE"
    help = (
        "The Avro schemas of the events that this service sends (topics enabled in EVENT_BUS_PRODUCER_CONFIG): print "
        "them, compare them with the registry or with files, register them. No event data is involved."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        subcommands = parser.add_subparsers(dest="action", required=True, metavar="SUBCOMMAND")
        for name, text in _DESCRIPTIONS.items():
            added = add_subcommand(subcommands, name, text)
            about = "only this event type; may be repeated"
            added.add_argument("--event-type", action="append", default=[], metavar="TYPE", help=about)
            add_json(added)
            if name == "check":
                _add_check_arguments(added)
            if name == "export":
                added.add_argument("directory", type=Path, metavar="DIR", help="created if it does not exist")
                about = "overwrite the last exported schema, which was never used; do not keep it under a number"
                added.add_argument("--replace", action="store_true", help=about)

    def handle(self, *args: Any, **options: Any) -> None:
        observe_events()
        load_all_signals()
        try:
            getattr(self, f"_{options['action']}")(options)
        except EventBusError as error:
            raise CommandError(str(error)) from error

    def _show(self, options: dict[str, Any]) -> None:
        found = own_schemas.by_subject(options["event_type"])
        if options["json"]:
            content = [attrs.asdict(one) | {"schema": json.loads(one.schema)} for one in found]
            self._print_json({"schemas": content})
            return
        for one in found:
            self.stdout.write(shown(one.subject))
            self.stdout.write(json.dumps(json.loads(one.schema), indent=2, sort_keys=True))

    def _check(self, options: dict[str, Any]) -> None:
        findings = _findings(options)
        if options["json"]:
            self._print_json({"schemas": [attrs.asdict(one) for one in findings]})
        else:
            for one in findings:
                self._print_finding(one)
        refused = [one for one in findings if one.standing is SchemaStanding.INCOMPATIBLE]
        if refused:
            raise CommandError(f"{len(refused)} of {len(findings)} schemas are not compatible with earlier schemas.")
        unknown = [one for one in findings if one.standing is not SchemaStanding.KNOWN]
        if unknown and options["exact"]:
            remedy = "export" if options["against"] else "register"
            raise CommandError(f"{len(unknown)} of {len(findings)} schemas are missing: run event_schemas {remedy}.")

    def _register(self, options: dict[str, Any]) -> None:
        own = own_schemas.by_subject(options["event_type"])
        results: list[Registration] = []
        with closing(registering()) as registry, closing(subjects()) as known:
            for one in registration.register(registry, known, own):
                results.append(one)
                if not options["json"]:
                    self._print_registration(one)
        if options["json"]:
            self._print_json({"schemas": [attrs.asdict(one) for one in results]})
        failed = [one for one in results if one.failures]
        if failed:
            raise CommandError(f"{len(failed)} of {len(results)} schemas are not registered: see above.")

    def _export(self, options: dict[str, Any]) -> None:
        directory = SchemaDirectory(options["directory"])
        written = {
            event_type: directory.export(event_type, schema, replace=options["replace"])
            for event_type, schema in own_schemas.by_event_type(options["event_type"]).items()
        }
        if options["json"]:
            self._print_json({"written": written})
            return
        for event_type, is_new in written.items():
            self.stdout.write(shown(f"{directory.file_of(event_type)}  {'written' if is_new else 'as it was'}"))

    def _print_finding(self, one: SchemaFinding) -> None:
        self.stdout.write(shown(f"{one.name}  {_WORDS[one.standing]} (level {one.level})"))
        for change in one.changes:
            self.stdout.write(shown(f"  ~ {change}"))
        for refusal in one.refusals:
            self.stdout.write(self.style.ERROR(shown(f"  ! {refusal}")))

    def _print_registration(self, one: Registration) -> None:
        if one.schema_id is None:
            done = "NOT REGISTERED"
        else:
            done = f"{'there already' if one.was_known else 'registered'}, id {one.schema_id}"
        self.stdout.write(shown(f"{one.subject}  {done}"))
        for failure in one.failures:
            self.stdout.write(self.style.ERROR(shown(f"  ! {failure}")))

    def _print_json(self, content: Any) -> None:
        self.stdout.write(json.dumps(content, indent=2))


_WORDS = {
    SchemaStanding.UNKNOWN: "new",
    SchemaStanding.KNOWN: "known",
    SchemaStanding.COMPATIBLE: "changed, may follow",
    SchemaStanding.INCOMPATIBLE: "MAY NOT FOLLOW",
}


def _add_check_arguments(parser: CommandParser) -> None:
    about = "compare with a directory that export wrote, not with the registry"
    parser.add_argument("--against", type=Path, metavar="DIR", help=about)
    about = "with --against: compatibility level to check (default: BACKWARD, as in Confluent's registry)"
    parser.add_argument("--level", choices=LEVELS, help=about)
    about = "exit code 1 also if a compatible schema is not registered or exported yet"
    parser.add_argument("--exact", action="store_true", help=about)


def _findings(options: dict[str, Any]) -> Sequence[SchemaFinding]:
    if options["against"] is None:
        if options["level"]:
            raise CommandError("--level needs --against: a registry has its own levels.")
        with closing(subjects()) as known:
            return [schema_check.in_registry(known, own) for own in own_schemas.by_subject(options["event_type"])]
    if not options["against"].is_dir():
        raise CommandError(f"There is no directory {options['against']}: event_schemas export makes one.")
    directory, level = SchemaDirectory(options["against"]), options["level"] or "BACKWARD"
    return [
        schema_check.in_directory(directory, event_type, schema, level)
        for event_type, schema in own_schemas.by_event_type(options["event_type"]).items()
    ]
