"""
Computes the change of a dead letter's row after a replay. Changes that other processes made to the row during the
replay are kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import attrs

from event_bus_kafka.dead_letters.letter import Failure
from event_bus_kafka.dead_letters.pending import Change, LetterRow, Pending, claimed, of_row, time_text
from event_bus_kafka.operations.dead_letters.replay_plan import ReplayPlan

UNREAD = ""
"""Used as the receiver's name in a failure to decode the record, because that failure concerns no single receiver."""


@attrs.frozen(kw_only=True)
class ReplayResult:
    """
    The planned receivers that succeeded, and the failures of the receivers that failed. After an outage, a planned
    receiver may have neither succeeded nor failed.
    """

    succeeded: frozenset[str] = frozenset()
    failed: Mapping[str, Failure] = attrs.field(factory=dict)
    counts: bool = True
    """Whether this replay increases the letter's number of attempts."""


def change(row: LetterRow, planned: ReplayPlan, result: ReplayResult) -> Change:
    """Return the change that a replay of ``planned`` makes to ``row``. ``row``: the letter's present row, locked."""
    before, there = of_row(planned.letter), of_row(row)
    failed, time = _by_receiver(planned, before, result), datetime.now(UTC)
    succeeded: Pending = {}
    if UNREAD in before and there == before and (result.succeeded or failed.keys() - {UNREAD}):
        # The record was decoded this time, so its receivers are pending, and no longer the decoding.
        succeeded[UNREAD], there = before[UNREAD], planned.pending
    known = planned.pending | before
    unchanged = {name for name, failure in there.items() if failure == known.get(name)}
    replaced = {by: _replaced(planned, by, unchanged) for by in planned.stands_in.keys() & result.succeeded}
    succeeded |= {name: _once_more(known.get(name) or Failure(receiver=name, error="")) for name in result.succeeded}
    settled = {name for name in result.succeeded if name in unchanged}.union(*replaced.values())
    left = {name: failure for name, failure in there.items() if name not in settled}
    again = {
        name: _failed(failure, known.get(name), planned.stands_in.get(name, ""), time)
        for name, failure in failed.items()
        if name in unchanged or (name not in known and UNREAD not in left)
    }
    return Change(
        pending=claimed(left | again, ""),
        succeeded={name: failure for name, failure in succeeded.items() if name not in left},
        replaced=replaced,
        failed_at=time if again else None,
        attempts=None if result.counts or row.attempts != planned.letter.attempts else row.attempts - 1,
    )


def _by_receiver(planned: ReplayPlan, before: Pending, result: ReplayResult) -> Mapping[str, Failure]:
    """
    Return receiver → failure. If decoding the record failed for the first time, each planned receiver gets this
    failure.
    """
    if UNREAD in result.failed and UNREAD not in before:
        return {name: attrs.evolve(result.failed[UNREAD], receiver=name) for name in planned.run}
    return result.failed


def _replaced(planned: ReplayPlan, by: str, unchanged: set[str]) -> Pending:
    """
    Return the pending failures that end because the stand-in ``by`` has succeeded: the failure of the receiver that
    ``by`` replaces, and the failures of earlier stand-ins for this receiver.
    """
    whose = planned.stands_in[by]
    return {
        name: failure
        for name, failure in planned.pending.items()
        if name in unchanged and name != by and whose in (name, failure.instead_of)
    }


def _failed(failure: Failure, before: Failure | None, instead_of: str, time: datetime) -> Failure:
    """
    Return the failure to store for a receiver, with one attempt more than before. A receiver that was pending before
    keeps its ``instead_of``.
    """
    counted = _once_more(before or attrs.evolve(failure, attempts=0, instead_of=instead_of))
    return attrs.evolve(failure, attempts=counted.attempts, failed_at=time_text(time), instead_of=counted.instead_of)


def _once_more(failure: Failure) -> Failure:
    return attrs.evolve(failure, attempts=(failure.attempts or 0) + 1)
