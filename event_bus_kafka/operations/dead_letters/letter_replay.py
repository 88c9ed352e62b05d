"""Replays dead letters: calls the pending receivers again with the letter's event, as a worker would."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from time import monotonic, sleep

import attrs
from django.db import Error

from event_bus_kafka.consuming.processor import Processor
from event_bus_kafka.consuming.progress import Work
from event_bus_kafka.dead_letters import table_store
from event_bus_kafka.dead_letters.letter import Failure, Letter, Store
from event_bus_kafka.dead_letters.pending import Change, Pending
from event_bus_kafka.dispatching.attempts import Past
from event_bus_kafka.dispatching.outcomes import Hold
from event_bus_kafka.errors import CannotRestore, WorkerFailed
from event_bus_kafka.models import DeadLetter
from event_bus_kafka.operations.attempt import OneAttempt, server_away
from event_bus_kafka.operations.dead_letters.replay_plan import ReplayPlan, planned_receivers
from event_bus_kafka.operations.dead_letters.replay_result import UNREAD, ReplayResult, change
from event_bus_kafka.operations.dead_letters.restoring import Originals
from event_bus_kafka.telemetry.error_text import database_error_text
from event_bus_kafka.wire.records import ConsumerRecord

_CLAIMED_FOR = timedelta(minutes=15)
"""
Duration of a claim on a letter. If a replay's process is killed, another replay can claim the letter after this time.
If a receiver runs for longer, another replay may call it concurrently.
"""
_NOTED_WITHIN, _AGAIN_AFTER = 30.0, 1.0
"""
Seconds for which a replay tries to store a success while the database is unavailable, and seconds between two tries.
"""


def claim_end() -> datetime:
    """Return the time until which a claim that begins now is valid."""
    return datetime.now(UTC) + _CLAIMED_FOR


@attrs.frozen(kw_only=True)
class LetterClaim:
    """
    A replay's claim on a letter. Before ``until``, another process may replay the letter only if it knows that the
    claim's owner has died or was interrupted.
    """

    until: datetime = attrs.field(factory=claim_end)
    replaces: str = ""
    """
    End time of the earlier claim that this claim may replace, because the earlier claim's owner has died or was
    interrupted. Empty: a letter with a valid claim cannot be claimed.
    """
    began: Callable[[Work], None] = lambda _: None
    """Function that is called with the attempt's :class:`Work` just before the attempt begins."""


@attrs.frozen(kw_only=True)
class Replayed:
    """The result of replaying a dead letter."""

    letter: DeadLetter
    left: Pending = attrs.field(factory=dict)
    """
    Receivers that are still pending. Empty if the letter is deleted, and also if ``is_taken`` or ``problem`` is set.
    """
    failed: bool = False
    """Whether a receiver failed in this replay, or the record could not be decoded."""
    is_taken: bool = False
    """
    True: no receiver ran, because another process has claimed, changed or deleted the letter since the plan was made.
    """
    problem: str = ""
    """Why no receiver ran, or why the result could not be stored; empty: no problem."""


class LetterReplay:
    """
    Runs replay plans on the calling thread. Several threads may share an instance. ``processor`` is called with a store
    of dead letters, and returns a processor that uses this store. ``originals`` reads the parts of a record that its
    letter lacks.
    """

    def __init__(self, processor: Callable[[Store], Processor], originals: Originals) -> None:
        self._attempt = OneAttempt(lambda store: attrs.evolve(processor(store), skip_unknown_types=False))
        self._originals = originals

    def run(self, planned: ReplayPlan, claim: LetterClaim | None = None) -> Replayed:
        """
        Claim the letter, call the planned receivers (at least one) with its record, then delete or update the letter's
        row.

        Raises :class:`WorkerFailed` if a server is unreachable, if a receiver raises SystemExit or GeneratorExit, or if
        a success cannot be stored. The caller must then run no further plans: they would probably fail in the same way.
        Raises :class:`BrokerError` if parts of the record must be read from Kafka and Kafka does not answer. Raises a
        database error if the row cannot be read or written.
        """
        letter, claim = planned.letter, claim or LetterClaim()
        try:
            record = self._claimed(letter, claim)
        except CannotRestore as error:
            return Replayed(letter=letter, problem=f"not run: {error}")
        if record is None:
            return Replayed(letter=letter, is_taken=True)
        work = Work(record, past=Past(attempts=letter.attempts - 1))
        claim.began(work)
        try:
            outcome = self._attempt.make(work, lambda signal: planned_receivers(planned, signal))
        except BaseException:
            with suppress(Error):
                _write(planned, ReplayResult())  # if this fails, too, the first exception is raised
            raise
        if isinstance(outcome, Hold):
            with suppress(Error):  # the database may be the unreachable server
                _write(planned, _until_outage(planned, work))
            raise server_away(outcome)
        result = _result(planned, outcome if isinstance(outcome, Letter) else None)
        written = _write(planned, result)
        gone = "it failed again, and its row was deleted meanwhile" if result.failed and not written else ""
        left = written.pending if written else {}
        return Replayed(letter=letter, left=left, failed=bool(result.failed), problem=gone)

    def _claimed(self, letter: DeadLetter, claim: LetterClaim) -> ConsumerRecord | None:
        """Claim a letter and return its record; None if another process has claimed, changed or deleted the letter."""
        try:
            letter.refresh_from_db(fields=["key", "value", "headers"])
        except DeadLetter.DoesNotExist:
            return None
        record = self._originals.record_of(letter)
        return record if table_store.claim(letter, claim.until, own=claim.replaces) else None


def _write(planned: ReplayPlan, result: ReplayResult) -> Change | None:
    """
    Store the result of a replay. If the database fails and no receiver has succeeded, raise the database's error. If
    the database fails and a receiver has succeeded, retry for ``_NOTED_WITHIN`` seconds, then raise
    :class:`WorkerFailed`, because the next replay would call this receiver again.
    """
    deadline = monotonic() + _NOTED_WITHIN
    while True:
        try:
            return table_store.amend(planned.letter, lambda row: change(row, planned, result))
        except Error as error:
            if not result.succeeded:
                raise
            if monotonic() > deadline:
                raise _not_noted(planned, result, error) from error
        sleep(_AGAIN_AFTER)


def _not_noted(planned: ReplayPlan, result: ReplayResult, error: Error) -> WorkerFailed:
    names, letter = ", ".join(sorted(result.succeeded)), planned.letter.pk
    return WorkerFailed(
        f"{names} succeeded for dead letter {letter}; this cannot be stored, so the next replay would call them again: "
        f"{database_error_text(error)}",
        exit_code=1,
    )


def _result(planned: ReplayPlan, failed: Letter | None) -> ReplayResult:
    failures = {failure.receiver: failure for failure in failed.failures} if failed else {}
    succeeded = () if UNREAD in failures else planned.run
    return ReplayResult(succeeded=frozenset(succeeded) - failures.keys(), failed=failures)


def _until_outage(planned: ReplayPlan, work: Work) -> ReplayResult:
    """
    Return the result of an attempt that an outage ended: the successes and failures from before the outage. The attempt
    is not added to the letter's number of attempts.
    """
    failed = {one.name: Failure.of(error, one.name) for one, error in work.past.given_up}
    waiting = planned.run if work.past.waiting is None else [one.name for one in work.past.waiting]
    return ReplayResult(succeeded=frozenset(planned.run).difference(failed, waiting), failed=failed, counts=False)
