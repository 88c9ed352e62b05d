"""``manage.py event_dead_letters``: list, replay and remove dead letters of this service's receivers."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import Error
from openedx_events.tooling import load_all_signals

from event_bus_kafka.assembly.consuming import processor
from event_bus_kafka.assembly.dead_letter_stores import dead_letter_topic, store_for
from event_bus_kafka.assembly.observing import observe_events
from event_bus_kafka.assembly.reading import reader_for
from event_bus_kafka.assembly.schema_registry import registry as registry_of_settings
from event_bus_kafka.conf.settings import settings
from event_bus_kafka.dead_letters import retention, table_store
from event_bus_kafka.dead_letters.pending import Pending
from event_bus_kafka.errors import CannotTake, EventBusError, WorkerFailed
from event_bus_kafka.management.arguments import NOT_DONE
from event_bus_kafka.management.dead_letter_arguments import add_subcommands, selection
from event_bus_kafka.management.replay_requests import RequestSubcommands, with_request
from event_bus_kafka.models import DeadLetter, EntryState
from event_bus_kafka.operations.dead_letters import imports, quarantine, report
from event_bus_kafka.operations.dead_letters.letter_replay import LetterReplay, Replayed
from event_bus_kafka.operations.dead_letters.replay_plan import ReplayPlan, plan_all
from event_bus_kafka.operations.dead_letters.restoring import Originals
from event_bus_kafka.operations.dead_letters.selection import Selection
from event_bus_kafka.shown import shown
from event_bus_kafka.telemetry.error_text import database_error_text, error_text

_SHOWN = 50
"""Maximum number of dead letters that a plan lists."""
_PROGRESS_EVERY = 100
_NONE = "No dead letters."


class Command(RequestSubcommands):
    example = "event_dead_letters replay --receiver credentials.receivers.award --apply"
    help = (
        "Dead letters are records that receivers of this service could not process, stored byte for byte. Subcommands "
        "that change something print a plan; --apply carries it out. Only show --unmasked prints event data."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_subcommands(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        load_all_signals()
        observe_events()
        try:
            if options["action"] != "take":
                _require_table()
            getattr(self, f"_{options['action']}")(options)
        except WorkerFailed as failure:
            raise CommandError(f"Stopped: {failure.reason}.", returncode=failure.exit_code) from failure
        except CannotTake as error:
            raise CommandError(str(error)) from error
        except EventBusError as error:
            raise CommandError(error_text(error)) from error
        except Error as error:
            raise CommandError(f"The database cannot be used: {database_error_text(error)}.") from error

    def _list(self, options: dict[str, Any]) -> None:
        selected = selection(options)
        if options["settled"]:
            self._list_settled(selected, options)
            return
        rows = selected.letters().latest_first()
        shown, more = selected.page(rows.reverse() if options["oldest"] else rows, options["limit"])
        if options["json"]:
            self.print_json({"dead_letters": [report.as_json(letter) for letter in shown], "more": more})
            return
        self._print_table(shown, more)

    def _list_settled(self, selected: Selection, options: dict[str, Any]) -> None:
        entries = selected.settled()
        shown = list((entries.reverse() if options["oldest"] else entries)[: options["limit"]])
        more = entries.count() - len(shown)
        if options["json"]:
            self.print_json({"settled": [report.settled_json(entry) for entry in shown], "more": more})
            return
        self.stdout.write(report.settled_table(shown) if shown else "No settled entries.")
        if more:
            self.stdout.write(f"… and {more} more")

    def _show(self, options: dict[str, Any]) -> None:
        letter = DeadLetter.objects.with_marks().filter(pk=options["id"]).first()
        if letter is None:
            raise CommandError(f"There is no dead letter {options['id']}.")
        description = report.in_full(letter, Selection(ids=(letter.pk,)).settled())
        if options["unmasked"]:
            with closing(registry_of_settings()) as registry:
                description |= report.unmasked(letter, registry)
        if options["json"]:
            self.print_json(description)
            return
        self.stdout.write(report.text(description))
        for part in ("key", "data"):
            if part in description:
                self.stdout.write(f"  {part}")
                self.print_json(description[part])

    def _take(self, options: dict[str, Any]) -> None:
        group, coordinates = options["group"], options["coordinates"]
        with reader_for(group) as reader:
            found = quarantine.look(reader, coordinates, group)
            names = [failure.receiver for failure in found.letter.failures if failure.receiver]
            self._say(
                options,
                f"Record {coordinates} ({shown(found.letter.event_type) or 'unknown event type'}) becomes a "
                f"dead letter of group {group}; receivers: {', '.join(names) or 'none here'}.\n"
                f"The group goes on from offset {found.position.offset} and passes over the record.",
            )
            if self._is_to_apply(options):
                quarantine.take(reader, store_for(group), found)
                self._succeed(options, f"{coordinates} is stored as a dead letter. Start the workers again.")
        self._tell(options, record=str(coordinates), group=group, receivers=names, goes_on_from=found.position.offset)

    def _replay(self, given: dict[str, Any]) -> None:
        options = with_request(given)
        if options["request"]:
            self.request(selection(options), options)
            return
        plans = plan_all(selection(options).letters(), options["receiver"] or "", options["instead_of"] or "")
        if options["receiver"] and not options["ids"]:
            plans = [one for one in plans if one.run or one.is_ambiguous]
        if not plans:
            self._say(options, _NONE)
        if not options["apply"]:
            self._print_lines(options, [_planned(one) for one in plans])
        failed: dict[int, str] = {}
        if self._is_to_apply(options) and plans:
            failed = self._run(plans, options)
        planned = [
            {"id": one.letter.pk, "run": list(one.run), "problem": failed.get(one.letter.pk, one.problem)}
            for one in plans
        ]
        self._tell(options, dead_letters=planned)
        if failed:
            raise CommandError(f"{len(failed)} of {len(plans)} dead letters stay.")

    def _run(self, plans: list[ReplayPlan], options: dict[str, Any]) -> dict[int, str]:
        """
        Replay the planned letters. Return id → problem, for each letter that was not replayed or still has a pending
        receiver.
        """
        with closing(registry_of_settings()) as registry, closing(Originals(reader_for)) as originals:
            replay = LetterReplay(lambda store: processor("", store, registry), originals)
            failed = self._run_all(plans, replay, options)
        self._say(options, f"{len(plans) - len(failed)} of {len(plans)} dead letters have succeeded and are deleted.")
        return failed

    def _run_all(self, plans: list[ReplayPlan], replay: LetterReplay, options: dict[str, Any]) -> dict[int, str]:
        failed: dict[int, str] = {}
        for number, planned in enumerate(plans, start=1):
            problem = _problem(replay.run(planned)) if planned.run else f"not run: {planned.problem}"
            if problem:
                failed[planned.letter.pk] = problem
                self._say(options, shown(f"{report.coordinates(planned.letter)}  {problem}"))
            if number % _PROGRESS_EVERY == 0:
                self._say(options, f"{number} of {len(plans)}")
        return failed

    def _discard(self, options: dict[str, Any]) -> None:
        selected = selection(options)
        letters = selected.pick(selected.letters())
        if not options["apply"] and not options["json"]:
            self._print_table(letters[:_SHOWN], max(len(letters) - _SHOWN, 0))
        if self._is_to_apply(options):
            seen = {letter.pk: letter.last_failed_at for letter in letters}
            count = table_store.remove(seen, EntryState.DISCARDED)
            self._succeed(options, f"Deleted {count} dead letters.")
        self._tell(options, dead_letters=[letter.pk for letter in letters])

    def _import(self, options: dict[str, Any]) -> None:
        group, apply = options["group"], options["apply"]
        topic = dead_letter_topic(group)
        with reader_for(imports.import_group(group)) as reader:
            found = imports.import_all(reader, topic, apply=apply)
        self._print_lines(options, [f"Record {name} is no dead letter: skipped" for name in found.foreign])
        self._say(options, f"Topic {topic}: {found.stored} dead letters to store, {found.known} known already.")
        if self._is_to_apply(options):
            self._succeed(options, "They are in the table.")
        self._tell(options, topic=topic, stored=found.stored, known=found.known, foreign=list(found.foreign))

    def _purge(self, options: dict[str, Any]) -> None:
        days = options["days"] or settings.retention
        count = DeadLetter.objects.expired(datetime.now(UTC) - timedelta(days=days)).count()
        self._say(options, f"{count} dead letters failed last more than {days:g} days ago.")
        if self._is_to_apply(options):
            self._succeed(options, f"Deleted {retention.purge(days)} dead letters.")
        self._tell(options, dead_letters=count, days=days)

    def _is_to_apply(self, options: dict[str, Any]) -> bool:
        if not options["apply"]:
            self._say(options, NOT_DONE)
        return bool(options["apply"])

    def _say(self, options: dict[str, Any], text: str) -> None:
        if not options["json"]:
            self.stdout.write(text)

    def _tell(self, options: dict[str, Any], **found: Any) -> None:
        """Print ``found`` as JSON, with the additional field ``applied``. Print nothing without ``--json``."""
        if options["json"]:
            self.print_json(found | {"applied": options["apply"]})

    def _print_table(self, letters: list[DeadLetter], more: int) -> None:
        self.stdout.write(report.table(letters) if letters else _NONE)
        if more:
            self.stdout.write(f"… and {more} more")

    def _print_lines(self, options: dict[str, Any], lines: list[str]) -> None:
        for line in lines[:_SHOWN]:
            self._say(options, shown(line))
        if len(lines) > _SHOWN:
            self._say(options, f"… and {len(lines) - _SHOWN} more")

    def print_json(self, content: Any) -> None:
        self.stdout.write(json.dumps(content, indent=2, default=_plain))

    def _succeed(self, options: dict[str, Any], text: str) -> None:
        self._say(options, self.style.SUCCESS(text))


def _require_table() -> None:
    if not table_store.is_migrated():
        raise CommandError("The table of dead letters is missing: run manage.py migrate.")


def _planned(planned: ReplayPlan) -> str:
    where = report.coordinates(planned.letter)
    if planned.problem:
        return f"{where}  does not run: {planned.problem}"
    names = [f"{name}{_in_place_of(planned, name)}" for name in planned.run]
    lacks = [name for name in planned.missing if name not in planned.stands_in.values()]
    rest = f"; no longer here: {', '.join(lacks)}" if lacks else ""
    return f"{where}  would run {', '.join(names)}{rest}"


def _in_place_of(planned: ReplayPlan, name: str) -> str:
    return f" in place of {planned.stands_in[name]}" if name in planned.stands_in else ""


def _problem(replayed: Replayed) -> str:
    if replayed.is_taken:
        return "not run: another process has changed the letter since, or is replaying it"
    if replayed.problem:
        return replayed.problem
    return f"stays: {_left(replayed.left)}" if replayed.left else ""


def _left(pending: Pending) -> str:
    return "; ".join(map(report.failure_text, pending.values()))


def _plain(value: Any) -> str:
    return value.hex(" ") if isinstance(value, bytes) else str(value)
