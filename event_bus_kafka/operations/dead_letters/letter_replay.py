"""Replay: the receivers that failed get a dead letter's event again, as a worker would give it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime

import attrs
from django.db import Error
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka.consuming.processor import Processor
from event_bus_kafka.consuming.progress import Delivery, PartitionProgress
from event_bus_kafka.consuming.work import Work
from event_bus_kafka.dead_letters.letter import Letter, Store
from event_bus_kafka.dispatching import dispatch
from event_bus_kafka.dispatching.attempts import Past
from event_bus_kafka.dispatching.dispatch import Receiver
from event_bus_kafka.dispatching.outcomes import Hold
from event_bus_kafka.errors import WorkerFailed
from event_bus_kafka.models import DeadLetter
from event_bus_kafka.operations.attempt import OneAttempt, server_away

Failures = list[dict[str, str]]


@attrs.frozen(kw_only=True)
class ReplayPlan:
    """What a replay of one dead letter would do."""

    letter: DeadLetter
    run: tuple[str, ...] = ()
    """Names of the receivers that would run, in the order of connection."""
    missing: tuple[str, ...] = ()
    """Receivers that have still to succeed and that this service does not have any more."""
    problem: str = ""
    """Why none would run."""


@attrs.frozen(kw_only=True)
class Replayed:
    """What became of one dead letter."""

    letter: DeadLetter
    left: Failures = attrs.field(factory=list)
    """What it still fails at; nothing: it is deleted."""
    failed: bool = False
    """Whether a receiver that ran has failed, or the record could not be read."""
    is_taken: bool = False
    """Whether somebody else has been at it since it was planned; nothing ran."""


def plan(letter: DeadLetter, receiver: str = "") -> ReplayPlan:
    """
    Say which receivers would run: those that failed, or else the one that is named.

    A named one runs where it has still to succeed, or stands in for one that does not exist any more.
    """
    signal = dispatch.signal_named(letter.event_type)
    listening = _names(dispatch.receivers_of(signal)) if signal else []
    pending = letter.failed_receivers or listening
    missing = tuple(name for name in pending if name not in listening)
    problem = _obstacle(letter, signal, listening)
    run = [name for name in listening if name in pending]
    if receiver and not problem:
        run = [name for name in listening if name == receiver and (name in pending or missing)]
        problem = "" if run else _no_part(receiver, listening)
    if not run and not problem:
        problem = f"no longer here: {', '.join(missing)}; name another with --receiver, or discard it"
    return ReplayPlan(letter=letter, run=() if problem else tuple(run), missing=missing, problem=problem)


class LetterReplay:
    """
    Runs what was planned, one dead letter after the other, on the calling thread. ``processor`` makes one
    with a store.
    """

    def __init__(self, processor: Callable[[Store], Processor]) -> None:
        self._attempt = OneAttempt(lambda store: attrs.evolve(processor(store), skip_unknown_types=False))

    def run(self, planned: ReplayPlan) -> Replayed:
        """
        Give one record to its planned receivers (there are some), and delete its row or bring it up to date.

        Raises :class:`WorkerFailed` when it makes no sense to go on, because a server is away or a receiver asked to
        exit; a database error where the rows cannot be had.
        """
        letter = planned.letter
        if not _claim(letter):
            return Replayed(letter=letter, is_taken=True)
        delivery = Delivery.of(letter.record, PartitionProgress(letter.topic, letter.partition))
        delivery.work = Work(letter.record, Past(attempts=letter.attempts - 1))
        outcome = self._attempt.make(delivery, lambda signal: _planned_receivers(planned, signal))
        if isinstance(outcome, Hold):
            raise _outage(planned, delivery, outcome)
        return _settled(planned, outcome)


def _planned_receivers(planned: ReplayPlan, signal: OpenEdxPublicSignal) -> list[Receiver]:
    return [receiver for receiver in dispatch.receivers_of(signal) if receiver.name in planned.run]


def _claim(letter: DeadLetter) -> bool:
    try:
        letter.refresh_from_db(fields=["key", "value", "headers"])
    except DeadLetter.DoesNotExist:
        return False
    return DeadLetter.objects.claim(letter)


def _obstacle(letter: DeadLetter, signal: OpenEdxPublicSignal | None, listening: list[str]) -> str:
    if signal is None:
        return f"event type {letter.event_type or '(none in its headers)'} is not registered in this service"
    if not dispatch.is_enabled(signal):
        return f"the signal of {letter.event_type} is disabled in this service"
    if not listening and not letter.failed_receivers:
        return f"nobody here listens to {letter.event_type}"
    return ""


def _no_part(receiver: str, listening: list[str]) -> str:
    return f"{receiver} {'has not failed for it' if receiver in listening else 'does not listen here'}"


def _names(receivers: Sequence[Receiver]) -> list[str]:
    return list(dict.fromkeys(receiver.name for receiver in receivers))


def _settled(planned: ReplayPlan, failed: Letter | None) -> Replayed:
    left = _left(planned, failed)
    if left:
        DeadLetter.objects.keep(planned.letter, left, failed_at=datetime.now(UTC))
    else:
        DeadLetter.objects.remove([planned.letter.pk])
    return Replayed(letter=planned.letter, left=left, failed=failed is not None)


def _left(planned: ReplayPlan, failed: Letter | None) -> Failures:
    """Return what is still to succeed: what did not run, and what has failed now."""
    if failed is None:
        return _not_run(planned, planned.run, succeeded=True)
    now = [attrs.asdict(failure) for failure in failed.failures]
    if any(failure["receiver"] for failure in now):
        return _not_run(planned, planned.run, succeeded=False) + now
    if not planned.letter.failed_receivers:  # unreadable as before
        return now
    unread = [now[0] | {"receiver": name} for name in planned.run]
    return _not_run(planned, planned.run, succeeded=False) + unread


def _not_run(planned: ReplayPlan, ran: Sequence[str], *, succeeded: bool) -> Failures:
    """Return the failures before of all but those that ran, and but those that one which succeeded stood in for."""
    replaced = planned.missing if succeeded and not set(ran) <= set(_pending(planned)) else ()
    return [failure for name, failure in _pending(planned).items() if name not in ran and name not in replaced]


def _pending(planned: ReplayPlan) -> dict[str, dict[str, str]]:
    """Return by receiver what has still to succeed; where none had its turn, that is each that listens."""
    letter = planned.letter
    if letter.failed_receivers:
        return {failure["receiver"]: failure for failure in letter.failures}
    signal = dispatch.signal_named(letter.event_type)
    names = _names(dispatch.receivers_of(signal)) if signal else []
    reason = letter.failures[0] if letter.failures else {"error": "", "place": ""}
    return {name: reason | {"receiver": name} for name in names}


def _outage(planned: ReplayPlan, delivery: Delivery, outcome: Hold) -> WorkerFailed:
    """Keep what has succeeded before a server went away, and take the attempt back; the database may be that server."""
    waiting = delivery.work.past.waiting if delivery.work else None
    remaining = planned.run if waiting is None else _names(waiting)
    done = [name for name in planned.run if name not in remaining]
    left = _not_run(planned, done, succeeded=False) if done else planned.letter.failures
    with suppress(Error):
        DeadLetter.objects.give_back(planned.letter, left)
    return server_away(outcome)
