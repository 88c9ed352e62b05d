"""``manage.py backfill_events``: send a service's existing data as events."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from itertools import islice
from shlex import quote
from typing import Any

import attrs
from django.core.management.base import CommandError, CommandParser

from event_bus_kafka.assembly.observing import observe_events
from event_bus_kafka.conf.routes import full_topic
from event_bus_kafka.dispatching import cleanup
from event_bus_kafka.entry_points import create_producer
from event_bus_kafka.errors import EventBusError, WorkerFailed
from event_bus_kafka.management.arguments import NOT_DONE, add_apply, add_json, number, rate
from event_bus_kafka.management.examples import OperatorCommand
from event_bus_kafka.management.long_runs import Interruption, Pace, ProgressBar
from event_bus_kafka.management.run_requests import add_request, check_request, make_or_plan, wish_values
from event_bus_kafka.operations.requested_runs.backfill_sources import (
    all_sources,
    count_items,
    enabled_routes,
    reason_of,
)
from event_bus_kafka.operations.requested_runs.run_progress import RunProgress
from event_bus_kafka.operations.requested_runs.run_requests import BackfillArguments, RunWish
from event_bus_kafka.producing.backfill import Arguments, Backfill, Failed, Item, Source
from event_bus_kafka.producing.routing import Route
from event_bus_kafka.shown import shown
from event_bus_kafka.telemetry.error_text import error_text
from event_bus_kafka.worker.worker import FORCED

_BATCH = 500
"""
Maximum number of items in a batch. A batch is sent after each item of the previous batch was confirmed by Kafka, was
stored in an outbox, or has failed.
"""

Batch = list[tuple[str, Arguments | Callable[[], Arguments]]]


@attrs.define
class _Run:
    """The progress of a backfill."""

    token: str | None
    """Token of the last item that was sent or failed. At the beginning: the token that ``--resume`` gives, or None."""
    done: int = 0
    failed: int = 0
    problem: str = ""
    """The reason why the run ended early; empty if the run did not end early."""
    exit_code: int = 1

    def before(self, batch: Batch) -> dict[str, str | None]:
        """Return token of an item → token of the preceding item, for all items of the next batch."""
        tokens = [token for token, _ in batch]
        return dict(zip(tokens, [self.token, *tokens], strict=False))

    def note(self, batch: Batch, failed: Collection[Failed]) -> None:
        """Note that all items of a batch were sent or have failed. ``failed``: the items that have failed."""
        self.token = batch[-1][0]
        self.done += len(batch)
        self.failed += len({one.token for one in failed})


class Command(OperatorCommand):
    example = "backfill_events course_runs --rate 100 --apply"
    help = (
        "Send events about existing data of this service, such as all its course runs. The events go to the topics "
        "that EVENT_BUS_PRODUCER_CONFIG names for their type, in the mode configured there; receivers in this service "
        "do not get them. Sources are functions in the module 'backfill' of an app, registered with "
        "event_bus_kafka.backfill_source. Each line of progress ends with a token for --resume: Kafka has confirmed, "
        "or the outbox has stored, all events up to it. SIGINT and SIGTERM end the run after the current batch, a "
        "second signal ends it at once. Exit codes: 0 all events were sent; 1 items failed, or the run was "
        "interrupted or could not continue; 2 a second signal."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("source", nargs="?", help="name of the source; without it all sources are listed")
        parser.add_argument("--resume", metavar="TOKEN", help="begin after the item with this token")
        parser.add_argument("--limit", metavar="N", type=number(least=1), help="send at most N items")
        parser.add_argument("--rate", metavar="N", type=rate, help="send at most N events per second")
        add_request(
            parser,
            "a worker of this service does it between its records",
            "the group whose workers do it (default: any worker of a service that has the source)",
        )
        add_apply(parser)
        text = "print JSON: the plan or, with --apply, a line for each failed item, for each batch and for the result"
        add_json(parser, text)

    def handle(self, *args: Any, **options: Any) -> None:
        observe_events()
        check_request(options)
        try:
            found = all_sources()
            if options["source"] is None:
                self._list(found, as_json=options["json"])
            elif options["source"] in found:
                self._backfill(found[options["source"]], options)
            else:
                raise CommandError(f"There is no source {options['source']}. There are: {', '.join(found) or 'none'}.")
        except WorkerFailed as failure:
            raise CommandError(f"{failure.reason}.") from failure
        except EventBusError as error:
            raise CommandError(error_text(error)) from error

    def _list(self, found: dict[str, Source], *, as_json: bool) -> None:
        if as_json:
            self._print_json(sources={name: source.signal.event_type for name, source in found.items()})
            return
        for name, source in found.items():
            self.stdout.write(f"{name}  {source.signal.event_type}")
        if not found:
            self.stdout.write("No app has a module 'backfill' with a function under @backfill_source.")

    def _backfill(self, source: Source, options: dict[str, Any]) -> None:
        to = enabled_routes(source)
        if not to:
            raise CommandError(f"EVENT_BUS_PRODUCER_CONFIG has no enabled topic for {source.signal.event_type}.")
        total = count_items(source, options["resume"], options["limit"])
        if options["request"] or not (options["apply"] and options["json"]):
            self._print_plan(source, to, total, options)
        if options["request"]:
            self._request(source, total, options)
        if options["request"] or not options["apply"]:
            return
        backfill = Backfill(signal=source.signal, routes=to, producer=create_producer())
        self._end(self._run(source, backfill, total, options), as_json=options["json"])

    def _request(self, source: Source, total: int, options: dict[str, Any]) -> None:
        arguments = BackfillArguments(source=source.name, event_type=source.signal.event_type, limit=options["limit"])
        progress = RunProgress(total=total, token=options["resume"])
        make_or_plan(self, RunWish(arguments=arguments, progress=progress, **wish_values(options)), options)

    def _run(self, source: Source, backfill: Backfill, total: int, options: dict[str, Any]) -> _Run:
        run, bar, as_json = _Run(options["resume"]), ProgressBar(self.stdout, total), options["json"]
        try:
            with Interruption() as interruption:
                pace = Pace(options["rate"], interruption)
                items = _begin(source, run.token, options["limit"])
                while not interruption.came and (batch := _next(items, pace.batch(_BATCH), source)):
                    failed = backfill.send(batch)
                    self._print_failed(failed, run.before(batch), bar, as_json=as_json)
                    run.note(batch, failed)
                    if as_json:
                        self._print_json(done=run.done, resume=run.token)
                    else:
                        bar.tell(run.done, _resume(run.token))
                    pace.keep(run.done)
                    cleanup.clean()
                run.problem = "Interrupted." if interruption.came and _next(items, 1, source) else ""
        except WorkerFailed as failure:
            run.problem = f"Stopped: {failure.reason}."
        except KeyboardInterrupt:
            run.problem, run.exit_code = "Interrupted during a batch.", FORCED
        bar.end()
        return run

    def _end(self, run: _Run, *, as_json: bool) -> None:
        """Print the result. Raises CommandError unless all items were sent."""
        sent = run.done - run.failed
        if as_json:
            self._print_json(sent=sent, failed=run.failed, resume=run.token)
        else:
            self.stdout.write(f"{sent} events are sent, {run.failed} failed.")
        if run.problem:
            again = f"Go on with {_resume(run.token)}" if run.token is not None else "Begin anew"
            raise CommandError(f"{run.problem} {again}.", returncode=run.exit_code)
        if run.failed:
            raise CommandError(f"{run.failed} of {run.done} items failed; each is named above.")

    def _print_failed(
        self, failed: list[Failed], before: dict[str, str | None], bar: ProgressBar, *, as_json: bool
    ) -> None:
        if failed:
            bar.end()
        for one in failed:
            if as_json:
                self._print_json(token=one.token, error=reason_of(one.error), resume=before[one.token])
                continue
            again = f"{_resume(before[one.token])} --limit 1".strip()
            self.stdout.write(f"Item {shown(one.token)} cannot be sent: {reason_of(one.error)} (again: {again})")

    def _print_plan(self, source: Source, to: list[Route], total: int, options: dict[str, Any]) -> None:
        after = options["resume"]
        if options["json"]:
            topics = [{"topic": full_topic(one.topic), "key": one.key_field, "mode": str(one.mode)} for one in to]
            self._print_json(
                source=source.name, event_type=source.signal.event_type, resume=after, events=total, topics=topics
            )
            return
        where = f" after {after}" if after is not None else ""
        self.stdout.write(f"{source.name}{where}: {total} events of type {source.signal.event_type}")
        for route in to:
            self.stdout.write(f"  to topic {full_topic(route.topic)}, key {route.key_field}, mode {route.mode}")
        if not options["apply"] and not options["request"]:
            self.stdout.write(NOT_DONE)

    def _print_json(self, **content: Any) -> None:
        self.stdout.write(json.dumps(content))


def _begin(source: Source, after: str | None, limit: int | None) -> Iterator[Item]:
    with _errors_of(source):
        return islice(source.items(after), limit)


def _next(items: Iterator[Item], most: int, source: Source) -> Batch:
    with _errors_of(source):
        return [(str(token), arguments) for token, arguments in islice(items, most)]


@contextmanager
def _errors_of(source: Source) -> Iterator[None]:
    """Convert an exception of a source into :class:`WorkerFailed`, since a source that raised cannot continue."""
    try:
        yield
    except Exception as error:
        raise WorkerFailed(f"{source.name} raised {reason_of(error)}", exit_code=1) from error


def _resume(token: str | None) -> str:
    """Return the argument that resumes after ``token``, quoted for a shell; empty for None."""
    return "" if token is None else f"--resume {quote(shown(token))}"
