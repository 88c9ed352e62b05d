"""The subcommands of ``manage.py event_dead_letters`` for replay requests."""

from __future__ import annotations

from collections.abc import Iterable
from shlex import quote
from typing import Any

from django.core.management.base import CommandError

from event_bus_kafka.management.arguments import NOT_DONE
from event_bus_kafka.management.dead_letter_arguments import SAY_WHICH
from event_bus_kafka.management.examples import OperatorCommand
from event_bus_kafka.management.users import user_name
from event_bus_kafka.models import LetterState, RequestedLetter
from event_bus_kafka.operations.dead_letters import report, requests
from event_bus_kafka.operations.dead_letters.replay_plan import ReplayPlan
from event_bus_kafka.operations.dead_letters.request_plan import STOP_AFTER, RequestPlan, Wish, make, plan_request
from event_bus_kafka.operations.dead_letters.requests import CANCEL, PAUSE, RESUME, RequestChange, RequestReport
from event_bus_kafka.operations.dead_letters.selection import Selection
from event_bus_kafka.operations.requested_runs.request_json import as_json as request_as_json
from event_bus_kafka.operations.requested_runs.request_json import letter_json
from event_bus_kafka.operations.requested_runs.run_report import filters, subject, units
from event_bus_kafka.shown import shown

_SHOWN = 50
"""Maximum number of letters that a plan or report lists."""


class RequestSubcommands(OperatorCommand):
    """A base class of the command ``event_dead_letters``, with the subcommands for replay requests."""

    def request(self, selected: Selection, options: dict[str, Any]) -> None:
        """Print the plan of replay requests, one for each group; with ``--apply``, make the requests."""
        require_tables()
        wish = Wish(
            receiver=options["receiver"] or "",
            instead_of=options["instead_of"] or "",
            rate=options["rate"],
            stop_after=options["stop_after"] or STOP_AFTER,
            requested_by=user_name(),
            reason=options["reason"],
        )
        planned = plan_request(selected, wish)
        if not options["json"]:
            self._print_lines_of(_plan_lines(planned))
            self._print_lines_of([] if options["apply"] else _obstacles(planned, wish))
        made = make(planned, wish) if options["apply"] else []
        if options["json"]:
            about = {"obstacles": _obstacles(planned, wish), "requests": [one.pk for one in made]}
            self.print_json(_plan_json(planned) | about | {"applied": options["apply"]})
        elif not options["apply"]:
            self.stdout.write(NOT_DONE)
        for one in made if not options["json"] else ():
            self.stdout.write(self.style.SUCCESS(f"Replay request {one.pk} of group {shown(one.group)} is made."))
            found = requests.report_of(one.pk)
            if found is not None and found.obstacle:
                self.stdout.write(shown(found.obstacle))

    def _requests(self, options: dict[str, Any]) -> None:
        require_tables()
        if options["id"] is not None:
            self._show_request(options["id"], as_json=options["json"])
            return
        found = requests.reports(options["limit"], only_open=options["open"])
        if options["json"]:
            self.print_json({"requests": [request_as_json(one) for one in found]})
            return
        self._print_lines_of([line for one in found for line in _request_lines(one)] or ["No replay requests."])

    def _show_request(self, number: int, *, as_json: bool) -> None:
        found = requests.report_of(number)
        if found is None:
            raise CommandError(f"There is no replay request {number}.")
        if found.run is not None:
            self._show_run(found, as_json=as_json)
            return
        reasons = requests.reasons(number)
        if as_json:
            letters = [letter_json(one) for one in requests.problems(number)]
            self.print_json(request_as_json(found) | {"reasons": reasons, "problems": letters})
            return
        problems = requests.problems(number, _SHOWN + 1)
        lines = [*_request_lines(found), *_reason_lines(reasons), *map(_letter_line, problems[:_SHOWN])]
        more = ["… and more: see --json"] if len(problems) > _SHOWN else []
        self._print_lines_of([*lines, *more])

    def _show_run(self, found: RequestReport, *, as_json: bool) -> None:
        if as_json:
            self.print_json(request_as_json(found))
            return
        progress = found.progress
        token = [] if progress.token is None else [f"  all before is sent: --resume {quote(progress.token)}"]
        places = [
            f"  {one.topic}:{one.partition}  offsets {one.start} to {one.end}: done before {one.position}"
            for one in progress.places
        ]
        problems = [f"    {where}: {error}" for where, error in progress.problems]
        self._print_lines_of([*_request_lines(found), *token, *places, *_reason_lines(progress.reasons), *problems])

    def _pause(self, options: dict[str, Any]) -> None:
        self._change(PAUSE, options)

    def _resume(self, options: dict[str, Any]) -> None:
        self._change(RESUME, options)

    def _cancel(self, options: dict[str, Any]) -> None:
        self._change(CANCEL, options)

    def _change(self, change: RequestChange, options: dict[str, Any]) -> None:
        require_tables()
        number = options["id"]
        problem = requests.obstacle_to(change, number)
        if not problem and options["apply"]:
            problem = requests.change_request(change, number, user_name())
        if problem:
            raise CommandError(problem)
        found = requests.report_of(number)
        assert found is not None
        if options["json"]:
            self.print_json({"request": request_as_json(found), "applied": options["apply"]})
            return
        self._print_lines_of(_request_lines(found))
        self.stdout.write(self.style.SUCCESS(change.done) if options["apply"] else f"{change.plan}\n{NOT_DONE}")

    def print_json(self, content: Any) -> None:
        raise NotImplementedError

    def _print_lines_of(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.stdout.write(shown(line))


def require_tables() -> None:
    """Raise CommandError if the tables of replay requests are missing."""
    if not requests.is_migrated():
        raise CommandError("The tables of replay requests are missing: run manage.py migrate.")


def with_request(options: dict[str, Any]) -> dict[str, Any]:
    """
    Return the options of ``replay``. If ``--of-request`` names a replay request, the option ``ids`` is set to the
    request's letters without a known result. If neither ``receiver`` nor ``instead_of`` was given as an argument, both
    are taken from the request.

    Raises CommandError if the request does not exist, if it has no such letters, or if ids were also given as
    arguments.
    """
    number = options["of_request"]
    if number is None:
        return options
    if options["ids"]:
        raise CommandError(SAY_WHICH)
    require_tables()
    request, left = requests.letters_left(number)
    if request is None:
        raise CommandError(f"There is no replay request {number}.")
    ids = [one.pk for one in Selection(ids=tuple(left)).letters()] if left else []
    if not ids:
        raise CommandError(f"Replay request {number} has no dead letters left without a result.")
    is_named = options["receiver"] or options["instead_of"]
    names = {} if is_named else {"receiver": request.receiver, "instead_of": request.instead_of}
    return options | {"ids": ids} | names


def _plan_lines(planned: RequestPlan) -> list[str]:
    count, missing = len(planned.requested), planned.missing
    lines = [f"{count} dead letters in {len(planned.groups)} requests, of groups: {', '.join(planned.groups) or '-'}"]
    lines += [f"  {name} would run for {count}" for name, count in sorted(planned.receivers.items())]
    if planned.elsewhere:
        lines.append(f"  {len(planned.elsewhere)} are for another service, whose workers decide which receivers run")
    lines += [f"  {name} is not in this service: {count} have still to reach it" for name, count in missing.items()]
    if planned.left_out:
        lines.append(f"{len(planned.left_out)} would not run, and are left out:")
        lines += [_left_out_line(one) for one in planned.left_out[:_SHOWN]]
    if len(planned.left_out) > _SHOWN:
        lines.append(f"… and {len(planned.left_out) - _SHOWN} more")
    return lines


def _obstacles(planned: RequestPlan, wish: Wish) -> list[str]:
    found = [requests.obstacle_before(one, planned.topics(one), planned.wanted(one, wish)) for one in planned.groups]
    return [text for text in found if text]


def _left_out_line(planned: ReplayPlan) -> str:
    return f"  {report.coordinates(planned.letter)}  {planned.problem}"


def _plan_json(planned: RequestPlan) -> dict[str, Any]:
    return {
        "groups": planned.groups,
        "run": [{"id": one.letter.pk, "run": list(one.run)} for one in planned.run],
        "elsewhere": [one.letter.pk for one in planned.elsewhere],
        "missing": planned.missing,
        "left_out": [{"id": one.letter.pk, "problem": one.problem} for one in planned.left_out],
    }


def _request_lines(found: RequestReport) -> list[str]:
    request, counts, run = found.request, found.counts, found.run
    about = ", ".join(f"{counts[state]} {state}" for state in LetterState.values if counts.get(state))
    why = f" ({request.reason})" if request.reason else ""
    lines = [
        f"{request.pk}  {request.state}  {_whose(found)}: {found.done} of {found.total} {units(run)}; {about or '-'}",
        f"  requested by {request.requested_by or 'unknown'}{why}"
        + (f", only {request.receiver}" if request.receiver else "")
        + (f", at most {request.rate:g} a second" if request.rate else "")
        + (", " + ", ".join(limits) if run and (limits := filters(run)) else ""),
    ]
    if request.worker and request.state == "running":
        lines.append(f"  worker {request.worker}")
    return [*lines, *(f"  {text}" for text in (request.note, found.obstacle) if text)]


def _whose(found: RequestReport) -> str:
    if found.run is None:
        return f"group {found.request.group}"
    return f"{subject(found.run)}, by {'group ' + found.run.group if found.run.group else 'any group'}"


def _reason_lines(reasons: Any) -> list[str]:
    return [f"  {state}: {count} × {error}" for state, found in reasons.items() for error, count in found.items()]


def _letter_line(letter: RequestedLetter) -> str:
    return f"    {letter.letter}  {letter.coordinates}  {letter.state}: {letter.error}"
