"""Plans the replay of a dead letter: which receivers are called, and which stand-ins replace missing receivers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka.dead_letters import pending as pending_of
from event_bus_kafka.dead_letters.pending import Pending
from event_bus_kafka.dispatching import dispatch
from event_bus_kafka.dispatching.dispatch import Receiver
from event_bus_kafka.models import DeadLetter


@attrs.frozen(kw_only=True)
class ReplayPlan:
    """The receivers that a replay of one dead letter would call."""

    letter: DeadLetter
    pending: Pending = attrs.field(factory=dict)
    """
    Pending receiver → failure, at the time of planning. If no receiver was ever called, all connected receivers count
    as pending.
    """
    run: tuple[str, ...] = ()
    """
    Names of the receivers that would run, in the order in which they were connected to the signal. If several receivers
    share a name, all of them run.
    """
    stands_in: Mapping[str, str] = attrs.field(factory=dict)
    """Name of a stand-in → the name of the receiver that the stand-in replaces."""
    missing: tuple[str, ...] = ()
    """
    Pending receivers that are not connected to the event type's signal in this service: they were removed or renamed,
    or belong to another service.
    """
    problem: str = ""
    """The reason why no receiver would run; empty: at least one receiver would run."""
    is_ambiguous: bool = False
    """
    Whether the problem is that the stand-in could replace several missing receivers, so that the operator must name one
    of them by ``instead_of``.
    """


def plan_all(letters: Iterable[DeadLetter], receiver: str = "", instead_of: str = "") -> list[ReplayPlan]:
    """
    Plan the replay of each letter, as :func:`plan` does. If ``instead_of`` is empty, ``receiver`` may be a new stand-in
    (see :func:`is_new_stand_in`) that replaces different receivers in different letters. In this case, the plans of
    these letters have a problem: the operator must name the replaced receiver.
    """
    plans = [plan(letter, receiver, instead_of) for letter in letters]
    chosen = {one.stands_in[receiver] for one in plans if is_new_stand_in(one, receiver)} if not instead_of else set()
    if len(chosen) < 2:
        return plans
    problem = _ambiguity(sorted(chosen), receiver)
    return [_ambiguous(one, problem) if is_new_stand_in(one, receiver) else one for one in plans]


def plan(letter: DeadLetter, receiver: str = "", instead_of: str = "") -> ReplayPlan:
    """
    Plan which receivers run for a letter: ``receiver`` if it is given, otherwise all pending receivers.

    ``receiver`` must be pending, or stand in for a missing receiver; otherwise, the plan has a problem. The missing
    receiver is ``instead_of`` or, if ``instead_of`` is empty, the only missing one.
    """
    signal = dispatch.signal_named(letter.event_type)
    listening = list(dict.fromkeys(one.name for one in dispatch.receivers_of(signal))) if signal else []
    pending = _pending(letter, listening)
    missing = tuple(name for name in pending if name not in listening)
    planned = ReplayPlan(letter=letter, pending=pending, missing=missing)
    if problem := _obstacle(letter, signal, listening):
        return attrs.evolve(planned, problem=problem)
    if receiver:
        return _of_one(planned, listening, receiver, instead_of)
    run = tuple(name for name in listening if name in pending)
    stands_in = {name: pending[name].instead_of for name in run if pending[name].instead_of}
    problem = "" if run else f"no longer here: {', '.join(missing)}; name another with --receiver, or discard it"
    return attrs.evolve(planned, run=run, stands_in=stands_in, problem=problem)


def planned_receivers(planned: ReplayPlan, signal: OpenEdxPublicSignal) -> list[Receiver]:
    """Return the receivers of ``signal`` that a replay by this plan calls."""
    return [receiver for receiver in dispatch.receivers_of(signal) if receiver.name in planned.run]


def is_new_stand_in(planned: ReplayPlan, receiver: str) -> bool:
    """
    Whether ``receiver`` would stand in for a missing receiver without being pending itself. An earlier stand-in that
    failed is pending, so it is not new.
    """
    return receiver in planned.stands_in and receiver not in planned.pending


def _of_one(planned: ReplayPlan, listening: list[str], receiver: str, instead_of: str) -> ReplayPlan:
    pending, missing = planned.pending, planned.missing
    if receiver not in listening:
        return attrs.evolve(planned, problem=f"{receiver} does not listen here")
    if instead_of:
        if instead_of not in missing:
            has = "is still here: it can run itself" if instead_of in listening else "has not failed for it"
            return attrs.evolve(planned, problem=f"{instead_of} {has}")
        return attrs.evolve(planned, run=(receiver,), stands_in={receiver: instead_of})
    if receiver in pending:
        own = pending[receiver].instead_of
        return attrs.evolve(planned, run=(receiver,), stands_in={receiver: own} if own else {})
    if len(missing) == 1:
        return attrs.evolve(planned, run=(receiver,), stands_in={receiver: missing[0]})
    if not missing:
        return attrs.evolve(planned, problem=f"{receiver} has not failed for it")
    return _ambiguous(planned, _ambiguity(missing, receiver))


def _ambiguity(missing: Sequence[str], receiver: str) -> str:
    return f"no longer here: {', '.join(missing)}; say with --instead-of in whose place {receiver} runs"


def _ambiguous(planned: ReplayPlan, problem: str) -> ReplayPlan:
    return attrs.evolve(planned, run=(), stands_in={}, problem=problem, is_ambiguous=True)


def _pending(letter: DeadLetter, listening: list[str]) -> Pending:
    found = pending_of.of_row(letter)
    if named := {name: failure for name, failure in found.items() if name}:
        return named
    return {name: attrs.evolve(found[""], receiver=name) for name in listening}


def _obstacle(letter: DeadLetter, signal: OpenEdxPublicSignal | None, listening: list[str]) -> str:
    if signal is None:
        return f"event type {letter.event_type or '(none in its headers)'} is not registered in this service"
    if not dispatch.is_enabled(signal):
        return f"the signal of {letter.event_type} is disabled in this service"
    if not listening and not letter.failed_receivers:
        return f"nobody here listens to {letter.event_type}"
    return ""
