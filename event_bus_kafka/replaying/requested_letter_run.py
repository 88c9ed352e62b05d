"""Replays one letter of a replay request, on a lane."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import attrs
from django.db import Error

from event_bus_kafka.consuming.progress import Work
from event_bus_kafka.dead_letters.pending import Pending, of_row, time_text
from event_bus_kafka.errors import BrokerError, EventBusError, WorkerFailed
from event_bus_kafka.models import DeadLetter, LetterState, RequestedLetter, RequestedLetterQuerySet
from event_bus_kafka.operations.dead_letters import report
from event_bus_kafka.operations.dead_letters.letter_replay import LetterClaim, LetterReplay, Replayed, claim_end
from event_bus_kafka.operations.dead_letters.replay_plan import ReplayPlan, plan
from event_bus_kafka.operations.dead_letters.replay_result import UNREAD
from event_bus_kafka.replaying.halts import Halt, HaltKind
from event_bus_kafka.telemetry.error_text import database_error_text, error_text
from event_bus_kafka.trouble import Trouble

_TRIES = 3
"""
Maximum number of times that a letter may begin without a known result. The limit exists because a letter may crash
workers.
"""
_OUTAGE = 1
"""
Exit code of a replay that cannot continue because a server is unavailable. Any other exit code means that a receiver
asked to exit.
"""
_TAKEN = "another process has changed the letter since it was read, or is replaying it"
_GONE = "it was deleted: it has succeeded since the request was made, or was discarded"
_FAILED_SINCE = "it has failed again since the request was made: make another request"


@attrs.frozen
class LetterEnd:
    """The result of the replay of a letter, with a text that explains it."""

    state: LetterState
    error: str = ""


@attrs.frozen(kw_only=True)
class RequestedLetterRun:
    """Replays the letters of one request; ``alias``: the database with the request."""

    replay: LetterReplay
    alias: str
    receiver: str

    def run(self, requested: RequestedLetter, began: Callable[[Work], None]) -> LetterState | Halt:
        """
        Replay a letter and store its result. ``began`` is called with the work of an attempt when the attempt begins.
        Return a halt if there is no result, or if no other letter may begin. After a halt, the letter is replayed again
        later, unless a receiver asked to exit. Errors of databases and of this package become halts, except lasting
        errors of Kafka, which become results. Other exceptions are raised.
        """
        try:
            return self._run(requested, began)
        except Error as error:
            return Halt(HaltKind.HELD, f"the database cannot be used: {database_error_text(error)}")
        except EventBusError as error:
            return Halt(HaltKind.HELD, error_text(error))

    def _run(self, requested: RequestedLetter, began: Callable[[Work], None]) -> LetterState | Halt:
        letter = DeadLetter.objects.for_writing().without_contents().filter(pk=requested.letter).first()
        planned = plan(letter, self.receiver, requested.instead_of) if letter else None
        end = _without_a_run(requested, planned)
        if end is not None or planned is None:
            end = end or LetterEnd(LetterState.SKIPPED, _GONE)
            self._rows.end(requested, requested.claim, end.state, end.error)
            return end.state
        until = claim_end()
        mark = time_text(until)
        if not self._rows.begin(requested, mark):
            return Halt(HaltKind.LOST, "another worker has begun one of its letters")
        claim = LetterClaim(until=until, replaces=requested.claim, began=began)
        try:
            end = _end(planned, self.replay.run(planned, claim))
        except WorkerFailed as failure:
            if failure.exit_code == _OUTAGE:
                self._put_back(requested, mark)
                return Halt(HaltKind.HELD, failure.reason)
            self._rows.end(requested, mark, LetterState.FAILED, failure.reason)
            return Halt(HaltKind.STOPPED, f"{failure.reason} at {requested.coordinates}")
        except BrokerError as error:
            if error.retriable and error.kind is not Trouble.FORBIDDEN:
                self._put_back(requested, mark)
                raise
            end = LetterEnd(LetterState.FAILED, error_text(error))
        except (Error, EventBusError):
            self._put_back(requested, mark)
            raise
        except Exception as error:  # ends the request: the letter must not stay in state running
            self._rows.end(requested, mark, LetterState.FAILED, f"this package raised {type(error).__name__}")
            raise
        self._rows.end(requested, mark, end.state, end.error)
        return end.state

    def _put_back(self, requested: RequestedLetter, mark: str) -> None:
        """
        Put the letter back into its request, and store the time of the dead letter's last failure with it. The
        interrupted replay may have changed this time. If the request kept the old time, the change would look like
        another worker's change.
        """
        with suppress(Error):  # then the letter stays begun, without a known result
            there = DeadLetter.objects.for_writing().filter(pk=requested.letter)
            self._rows.put_back(requested, mark, there.values_list("last_failed_at", flat=True).first())

    @property
    def _rows(self) -> RequestedLetterQuerySet:
        return RequestedLetter.objects.using(self.alias)


def end_by_letter(requested: RequestedLetter, letter: DeadLetter | None) -> LetterEnd | None:
    """
    Return the result of ``requested``, whose worker died during the replay, if the dead letter shows the result; else
    None. ``letter``: the dead letter; None: the dead letter was deleted.
    """
    if letter is None:
        return LetterEnd(LetterState.SUCCEEDED)
    if letter.last_failed_at == requested.failed_at or _has_claim(requested, letter):
        return None
    return LetterEnd(LetterState.FAILED, "; ".join(map(report.failure_text, of_row(letter).values())))


def _without_a_run(requested: RequestedLetter, planned: ReplayPlan | None) -> LetterEnd | None:
    """Return the result of a letter for which no receiver is to run; None if a receiver is to run."""
    had_begun = requested.state == LetterState.RUNNING
    if had_begun and (end := end_by_letter(requested, planned.letter if planned else None)):
        return end
    if planned is None:
        return None
    is_claimed = _has_claim(requested, planned.letter)
    if planned.letter.last_failed_at != requested.failed_at and not is_claimed:
        return LetterEnd(LetterState.SKIPPED, _FAILED_SINCE)
    if requested.tries >= _TRIES:
        return LetterEnd(LetterState.FAILED, f"its worker ended {_TRIES} times while the letter ran")
    if planned.run:
        return None
    if not had_begun:
        return LetterEnd(LetterState.SKIPPED, planned.problem)
    if is_claimed:
        return LetterEnd(LetterState.UNKNOWN, f"its worker ended while it ran; now: {planned.problem}")
    return _succeeded(of_row(planned.letter))


def _has_claim(requested: RequestedLetter, letter: DeadLetter) -> bool:
    """
    Return whether the dead letter ``letter`` still has the claim of the last replay of ``requested``. If so, the result
    of this replay was not written.
    """
    return any(failure.claimed_until == requested.claim for failure in of_row(letter).values() if requested.claim)


def _succeeded(left: Pending) -> LetterEnd:
    """Return the result of a successful replay. ``left``: the receivers that are still pending, and were not called."""
    if not left:
        return LetterEnd(LetterState.SUCCEEDED)
    names = ", ".join(name or "its reading" for name in left)
    return LetterEnd(LetterState.PARTLY, f"succeeded here; stays for {names}")


def _end(planned: ReplayPlan, replayed: Replayed) -> LetterEnd:
    if replayed.is_taken:
        return LetterEnd(LetterState.SKIPPED, _TAKEN)
    if replayed.problem and not replayed.failed:
        return LetterEnd(LetterState.SKIPPED, replayed.problem)
    if replayed.failed:
        ran = [failure for name, failure in replayed.left.items() if name in (*planned.run, UNREAD)]
        return LetterEnd(LetterState.FAILED, "; ".join(map(report.failure_text, ran)) or replayed.problem)
    return _succeeded(replayed.left)
