"""Values that describe attempts at a record, and :func:`judge`, which decides what follows an attempt."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import attrs

from event_bus_kafka.dispatching.dispatch import Failures, Receiver, failure_of, names_of
from event_bus_kafka.dispatching.outcomes import DONE, Failed, GiveUp, Hold, Outcome, Retry
from event_bus_kafka.dispatching.retry import RetryPolicy
from event_bus_kafka.errors import CircuitOpen, ReceiverPaused
from event_bus_kafka.frozen import cheap_frozen

_NOBODY: list[Receiver] = []
_NONE: Failures = []


@cheap_frozen
class Attempt:
    """
    The result of one attempt at a record: the results of its receivers, the error that prevented all calls, or the
    reason to skip the event.

    A receiver that was called and is not in ``failed`` has succeeded.
    """

    receivers: list[Receiver] = _NOBODY
    """The receivers of the event, in the order of their calls; each was called, is held or is paused."""
    ran: bool = False
    """Whether any receiver was called."""
    failed: Failures = _NONE
    held: Sequence[Receiver] = _NOBODY
    """Receivers whose circuit was open."""
    paused: Sequence[Receiver] = _NOBODY
    opened: Collection[str] = frozenset()
    """Names of receivers that failed and whose circuit is open now."""
    probe_in: float = 0.0
    """Seconds until a receiver whose circuit is open may be tried with one event."""
    away: str = ""
    """Name of the server that cannot be reached; empty: there is no such server."""
    error: Exception | None = None
    """The error that prevented all calls of receivers, for example because the record is unreadable; None: no error."""
    skipped: str = ""
    """The reason why no receiver gets the event; empty: the event was not skipped."""


ALL_SUCCEEDED = Attempt(ran=True)
"""The result of an attempt in which every receiver that the event waited for has succeeded."""


@attrs.frozen(kw_only=True)
class Past:
    """The combined results of all attempts at a record so far. A hold does not count as an attempt."""

    attempts: int = 0
    """Number of failed attempts."""
    failures: Mapping[str, int] = attrs.field(factory=dict)
    """Name of a receiver → number of attempts at which the receiver failed."""
    holds: int = 0
    """Number of holds since the last failed attempt. Only holds because of an outage count."""
    away: str = ""
    """Name of the server that could not be reached at the last attempt; empty: there was no such server."""
    waiting: list[Receiver] | None = None
    """Receivers for the next attempt; None: all receivers of the event, because no attempt has reached them yet."""
    given_up: tuple[tuple[Receiver, Exception], ...] = ()
    """Receivers that are not called again for this event, each with the reason."""
    verdict: GiveUp | None = None
    """
    The decision to give up the record. It is stored here until the dead letter is stored, so that no receiver is called
    again.
    """

    @property
    def is_paused_only(self) -> bool:
        """
        Whether no receiver was given up, except paused ones. If only paused receivers were given up, the dead letter
        does not count towards a flood.
        """
        return not self.given_up or all(isinstance(error, ReceiverPaused) for _, error in self.given_up)

    def held_by(self, server: str) -> Past:
        """Return these results with one more hold, because ``server`` could not be reached."""
        return attrs.evolve(self, holds=self.holds + 1, away=server)


NOTHING_YET = Past()


@cheap_frozen
class Judgement:
    """The decision after an attempt."""

    outcome: Outcome
    past: Past
    """The combined results of all attempts so far, as the input for the next judgement."""


_DONE = Judgement(outcome=DONE, past=NOTHING_YET)


def judge(attempt: Attempt, past: Past, policy: RetryPolicy) -> Judgement:
    """Decide what follows an attempt, from its result and from the earlier attempts."""
    if attempt.error is not None:
        return _judge_record(attempt.error, attempt.away, past, policy)
    if not (attempt.failed or attempt.held or attempt.paused or past.given_up):
        return _DONE if past is NOTHING_YET else Judgement(outcome=DONE, past=attrs.evolve(past, away=""))
    decided = [(receiver, _decide(receiver, error, attempt, past, policy)) for receiver, error in attempt.failed]
    counted = {receiver.name for receiver, outcome in decided if not isinstance(outcome, Hold)}
    left = [*attempt.held, *(receiver for receiver, outcome in decided if not isinstance(outcome, GiveUp))]
    now = Past(
        attempts=past.attempts + bool(counted),
        failures={**past.failures, **{name: past.failures.get(name, 0) + 1 for name in counted}},
        holds=0 if counted else past.holds + bool(attempt.away),
        away=attempt.away,
        waiting=[receiver for receiver in attempt.receivers if any(receiver is one for one in left)],
        given_up=(
            *past.given_up,
            *((receiver, ReceiverPaused()) for receiver in attempt.paused),
            *((receiver, outcome.error) for receiver, outcome in decided if isinstance(outcome, GiveUp)),
        ),
    )
    return _judgement(_combined(decided, attempt, now), now)


def _judge_record(error: Exception, away: str, past: Past, policy: RetryPolicy) -> Judgement:
    """
    Judge an error that prevented all calls of receivers. If the record is given up, the error counts as the failure of
    every receiver in ``past.waiting``.
    """
    outcome = policy.decide(error, attempt=past.attempts + 1, holds=past.holds, is_outage=bool(away))
    if isinstance(outcome, Hold):
        return Judgement(outcome=outcome, past=past.held_by(away))
    given_up = (*past.given_up, *((receiver, error) for receiver in past.waiting or ()))
    if isinstance(outcome, GiveUp) and given_up:
        outcome = GiveUp(failure_of(given_up))
        past = attrs.evolve(past, given_up=given_up)
    return _judgement(outcome, attrs.evolve(past, attempts=past.attempts + 1, holds=0, away=""))


def _decide(receiver: Receiver, error: Exception, attempt: Attempt, past: Past, policy: RetryPolicy) -> Failed:
    name = receiver.name
    return policy.decide(
        error,
        attempt=past.failures.get(name, 0) + 1,
        holds=past.holds,
        is_outage=bool(attempt.away),
        is_open=name in attempt.opened,
    )


def _combined(decided: Sequence[tuple[Receiver, Failed]], attempt: Attempt, now: Past) -> Outcome:
    """Combine the decisions for all receivers: the event waits until each receiver has succeeded or was given up."""
    if not now.waiting:
        return GiveUp(failure_of(now.given_up)) if now.given_up else DONE
    error = failure_of([(receiver, outcome.error) for receiver, outcome in decided]) if decided else None
    retries = [outcome.delay for _, outcome in decided if isinstance(outcome, Retry)]
    if error and retries:
        return Retry(error, max(retries))
    holds = [outcome.delay for _, outcome in decided if isinstance(outcome, Hold)]
    return Hold(error or CircuitOpen(names_of(now.waiting)), max(holds) if attempt.away else attempt.probe_in)


def _judgement(outcome: Outcome, past: Past) -> Judgement:
    past = attrs.evolve(past, verdict=outcome) if isinstance(outcome, GiveUp) else past
    return Judgement(outcome=outcome, past=past)
