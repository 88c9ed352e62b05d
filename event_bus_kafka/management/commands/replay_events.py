"""``manage.py replay_events``: call this service's receivers again for records of a topic."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import ExitStack, closing
from typing import Any

import attrs
from django.core.management.base import CommandError, CommandParser
from openedx_events.tooling import load_all_signals

from event_bus_kafka.assembly.consuming import processor
from event_bus_kafka.assembly.observing import observe_events
from event_bus_kafka.assembly.reading import reader_for
from event_bus_kafka.assembly.schema_registry import registry as registry_of_settings
from event_bus_kafka.dead_letters.letter import identity
from event_bus_kafka.dispatching.dispatch import signal_named
from event_bus_kafka.errors import EventBusError, NotThere, WorkerFailed
from event_bus_kafka.kafka.offsets import Partition, Range
from event_bus_kafka.kafka.reader import Reader
from event_bus_kafka.kafka.schema_registry import SchemaRegistry
from event_bus_kafka.management.arguments import NOT_DONE, add_apply, add_json, named, place, rate
from event_bus_kafka.management.examples import OperatorCommand
from event_bus_kafka.management.long_runs import Interruption, Pace, ProgressBar
from event_bus_kafka.management.run_requests import add_request, check_request, make_or_plan, wish_values
from event_bus_kafka.operations.dead_letters.report import failure_text
from event_bus_kafka.operations.group_offsets import Target, partitions_of
from event_bus_kafka.operations.record_replay import Failures, RecordReplay, ReplayProgress, exists, listening
from event_bus_kafka.operations.records import Wanted, ranges, read
from event_bus_kafka.operations.requested_runs.run_progress import RunProgress
from event_bus_kafka.operations.requested_runs.run_requests import RunWish, TopicArguments
from event_bus_kafka.shown import shown, shown_time
from event_bus_kafka.telemetry.error_text import error_text
from event_bus_kafka.wire.records import ConsumerRecord
from event_bus_kafka.worker.worker import FORCED

_GROUP = "replay_events"
"""A group id, which Kafka's client requires. No client joins this group, and nothing is ever committed for it."""
_OF_A_FAILURE = ("receiver", "error", "place")
_PLACE = "earliest, latest, an offset, or a time in ISO 8601 with time zone; if given twice, an offset and a time"


class Command(OperatorCommand):
    example = "replay_events -t certificates --from 2026-01-31T08:00Z --apply"
    help = (
        "Call the receivers of this service again for records of a topic in Kafka, once for each record, in the order "
        "of each partition. No consumer group is joined or moved, and nothing is sent. Receivers recognize a replay by "
        "event_bus_kafka.is_replay(). The run ends at the offsets where the topic ended when the run began. A receiver "
        "that fails is named, and the others continue. SIGINT and SIGTERM end the run after the current record, a "
        "second signal ends it at once. Exit codes: 0 all succeeded; 1 a receiver failed, or a record could not be "
        "read or was left; 2 interrupted at once; 3 a receiver asked to exit. With --request no receiver runs here: "
        "workers of a group call them, between the records that they read."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "-t", "--topic", metavar="TOPIC[:PARTITION]", type=named, required=True, help="with or without prefix"
        )
        where: dict[str, Any] = {"metavar": "WHERE", "type": place, "action": "append"}
        parser.add_argument("--from", dest="start", required=True, help=_PLACE, **where)
        parser.add_argument("--to", dest="end", default=[], help="end before this place; written like --from", **where)
        parser.add_argument("--event-type", help="only records of this event type")
        parser.add_argument("--key", help="only records with this key, in plain text")
        parser.add_argument("--receiver", metavar="NAME", help="only this receiver, named as in the plan")
        parser.add_argument("--rate", metavar="N", type=rate, help="replay at most N records per second")
        parser.add_argument("--stop-on-error", action="store_true", help="end at the first record that fails")
        add_request(parser, "workers of a group do it between their records", "the group whose workers do it; needed")
        add_json(parser, "print JSON: the plan or, with --apply, a line for each failure and for the result")
        add_apply(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        load_all_signals()
        observe_events()
        _check(options)
        if not options["request"]:  # workers of another service may know these names
            _refuse_unknown(options["receiver"], options["event_type"])
        start, end = Target.both(options["start"]), Target.both(options["end"])
        _refuse_reversed(start, end)
        options["wanted"] = Wanted(
            event_type=options["event_type"], key=options["key"], since=start.time, before=end.time
        )
        try:
            with (
                reader_for(_GROUP) as reader,
                closing(registry_of_settings()) as registry,
            ):
                partitions = partitions_of(reader, [options["topic"]])
                found = ranges(reader, partitions, start, end)
                if options["apply"] and not options["request"]:
                    self._replay(reader, registry, found, options)
                else:
                    self._plan(reader, registry, found, options)
                if options["request"]:
                    self._request(found, options)
        except KeyboardInterrupt:
            raise CommandError("Interrupted.", returncode=FORCED) from None
        except NotThere as error:
            raise CommandError(str(error)) from error
        except EventBusError as error:
            raise CommandError(error_text(error)) from error

    def _plan(
        self, reader: Reader, registry: SchemaRegistry, found: dict[Partition, Range], options: dict[str, Any]
    ) -> None:
        wanted = options["wanted"]
        counts, types = dict.fromkeys(found, 0), Counter[str]()
        for record in read(reader, found):
            if wanted.fits(record, registry):
                counts[record.topic, record.partition] += 1
                types[identity(record)[0]] += 1
        listeners = {name: listening(name, options["receiver"]) for name in sorted(types)}
        if options["json"]:
            partitions = [_as_json(name, offsets) | {"records": counts[name]} for name, offsets in found.items()]
            of_types = [{"event_type": name, "records": types[name]} | attrs.asdict(listeners[name]) for name in types]
            self._print_json(partitions=partitions, event_types=of_types)
            return
        for name, offsets in found.items():
            where = f"{name[0]}:{name[1]}  offsets {offsets.start} to {offsets.end}"
            self.stdout.write(f"{where}: {counts[name]} records")
        for event_type, one in listeners.items():
            what = f"would run {', '.join(one.receivers)}" if one.receivers else f"skipped: {one.reason}"
            where = "in this service " if options["request"] else ""
            self.stdout.write(f"{shown(event_type) or 'unknown type'}: {types[event_type]} records; {where}{what}")
        if not options["request"]:
            self.stdout.write(NOT_DONE)

    def _request(self, found: dict[Partition, Range], options: dict[str, Any]) -> None:
        if not any(offsets.start < offsets.end for offsets in found.values()):
            raise CommandError("There are no records between --from and --to: there is nothing to request.")
        wish = RunWish(
            arguments=TopicArguments(topic=next(iter(found))[0], **attrs.asdict(options["wanted"])),
            progress=RunProgress.of_ranges(found),
            receiver=options["receiver"] or "",
            **wish_values(options),
        )
        if not options["json"]:
            rate = f"at most {wish.rate:g} records a second" if wish.rate else "as fast as live events allow"
            end = f"until {wish.stop_after} records in a row fail"
            self.stdout.write(f"By workers of group {shown(wish.group)}, {rate}, {end}")
        make_or_plan(self, wish, options)

    def _replay(
        self, reader: Reader, registry: SchemaRegistry, found: dict[Partition, Range], options: dict[str, Any]
    ) -> None:
        run = ReplayProgress(left=found)
        try:
            problem, exit_code = self._run(reader, registry, run, options), 1
        except WorkerFailed as failure:
            problem, exit_code = f"Stopped: {failure.reason}", failure.exit_code
        except EventBusError as error:
            problem, exit_code = f"Stopped: {error_text(error)}", 1
        except KeyboardInterrupt:
            problem, exit_code = "Interrupted during a record", FORCED
        self._print_end(run, as_json=options["json"])
        if problem:
            raise CommandError(f"{problem}.{_left(run, options['wanted'])}", returncode=exit_code)
        if run.failed or run.undecodable:
            raise CommandError(f"{run.failed + run.undecodable} of {run.replayed} records failed.")

    def _run(self, reader: Reader, registry: SchemaRegistry, run: ReplayProgress, options: dict[str, Any]) -> str:
        """Replay the records. Return the reason why the run ended early; empty if the run did not end early."""
        bar, total = ProgressBar(self.stdout, run.offsets_left), run.offsets_left
        replay = RecordReplay(lambda store: processor("", store, registry), options["receiver"], run)
        with ExitStack() as at_end, Interruption() as interruption:
            at_end.callback(bar.end)
            pace = Pace(options["rate"], interruption)
            stop_on_error = options["stop_on_error"]
            for record, failures in replay.records(reader, options["wanted"], registry, stop_on_error=stop_on_error):
                if failures:
                    bar.end()
                    self._print_failure(record, failures, as_json=options["json"])
                    if stop_on_error:
                        return "Stopped at the first failure"
                elif not options["json"] and bar.is_due:
                    bar.tell(total - run.offsets_left, f"{run.replayed} records replayed")
                pace.keep(run.replayed)
                if interruption.came and run.offsets_left:
                    return "Interrupted"
        return ""

    def _print_failure(self, record: ConsumerRecord, failures: Failures, *, as_json: bool) -> None:
        event_type, event_id = identity(record)
        if as_json:
            found = [{name: getattr(failure, name) for name in _OF_A_FAILURE} for failure in failures]
            self._print_json(record=record.coordinates, event_type=event_type, event_id=event_id, failures=found)
            return
        for failure in failures:
            where = f" in {failure.place}" if failure.place else ""
            self.stdout.write(f"{record.coordinates}  {failure_text(failure)}{shown(where)}")

    def _print_end(self, run: ReplayProgress, *, as_json: bool) -> None:
        counts = {
            "replayed": run.replayed,
            "succeeded": run.replayed - run.skipped.total() - run.failed - run.undecodable,
            "failed": run.failed,
            "undecodable": run.undecodable,
            "skipped": run.skipped,
        }
        if as_json:
            self._print_json(**counts, left=[_as_json(name, offsets) for name, offsets in run.left.items()])
            return
        reasons = "".join(f", {count} skipped ({reason})" for reason, count in run.skipped.items())
        self.stdout.write(
            f"{run.replayed} records: {counts['succeeded']} succeeded, {run.failed} failed, {run.undecodable} could "
            f"not be read{reasons}."
        )

    def _print_json(self, **content: Any) -> None:
        self.stdout.write(json.dumps(content))


def _check(options: dict[str, Any]) -> None:
    check_request(options)
    if options["request"] and not options["group"]:
        raise CommandError("--request needs the group whose workers are to do it (--group).")
    if options["request"] and options["stop_on_error"]:
        if options["stop_after"]:
            raise CommandError("Give either --stop-on-error or --stop-after: the first is the same as --stop-after 1.")
        options["stop_after"] = 1


def _refuse_unknown(receiver: str | None, event_type: str | None) -> None:
    """
    Raise CommandError if a name is unknown. Without this check, a misspelt name would replay nothing, and the command
    would succeed.
    """
    if receiver and not exists(receiver):
        raise CommandError(f"No receiver {receiver} is connected to a signal in this service.")
    if event_type and signal_named(event_type) is None:
        raise CommandError(f"The event type {event_type} is not registered in this service.")


def _refuse_reversed(start: Target, end: Target) -> None:
    for first, last in ((start.time, end.time), (start.offset, end.offset)):
        if first is not None and last is not None and first > last:
            raise CommandError("There are no records: --from is after --to.")


def _as_json(name: Partition, offsets: Range) -> dict[str, Any]:
    return {"topic": name[0], "partition": name[1], "from": offsets.start, "to": offsets.end}


def _left(run: ReplayProgress, wanted: Wanted) -> str:
    """
    Return the arguments of further runs that replay the remaining records. If this run is limited to a range of times,
    the further runs are, too, because the remaining offsets may include records outside this range.
    """
    since = "" if wanted.since is None else f" --from {shown_time(wanted.since)}"
    before = "" if wanted.before is None else f" --to {shown_time(wanted.before)}"
    return "".join(
        f"\nLeft: --topic {topic}:{partition} --from {offsets.start}{since} --to {offsets.end}{before}"
        for (topic, partition), offsets in run.left.items()
        if offsets.start < offsets.end
    )
