"""
The pending receivers of a dead letter, and their JSON form in the letter's row. A receiver is pending if it has failed
for the letter's record and has not succeeded since.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

import attrs

from event_bus_kafka.dead_letters.letter import Failure, Letter

Pending = dict[str, Failure]
"""
Name of a pending receiver → the receiver's failure. The empty name means that the record failed before any receiver was
called.
"""
_KNOWN = frozenset(field.name for field in attrs.fields(Failure))


@attrs.frozen(kw_only=True)
class Change:
    """A change of a stored letter, computed from the letter's current row."""

    pending: Pending
    """The receivers that are still pending; if empty, the letter is deleted."""
    succeeded: Pending = attrs.field(factory=dict)
    replaced: Mapping[str, Pending] = attrs.field(factory=dict)
    """Name of a stand-in that has succeeded → the receivers that the stand-in replaced."""
    failed_at: datetime | None = None
    """
    The new time of the last failure. If it is None, the column stays unchanged. ``attempts`` works in the same way.
    """
    attempts: int | None = None


class LetterRow(Protocol):
    """The columns of a dead letter's row that this module reads."""

    failures: Any
    attempts: int
    last_failed_at: datetime


def of_row(row: LetterRow) -> Pending:
    """
    Return the pending receivers of a row. If the previous version of this package wrote the row, the row does not
    contain the attempts and the time of each receiver. In this case the letter's attempts and time are used instead.
    """
    return _by_name(row.failures, attempts=row.attempts, failed_at=row.last_failed_at)


def of_letter(letter: Letter) -> Pending:
    """Return the pending receivers of a letter that is about to be stored."""
    return _by_name(map(attrs.asdict, letter.failures), attempts=letter.attempts, failed_at=letter.failed_at)


def to_json(pending: Pending) -> list[dict[str, Any]]:
    """Return the value for the row's column ``failures``."""
    return [attrs.asdict(failure) for failure in pending.values()]


def merged(before: Pending, now: Pending) -> Pending:
    """
    Return the pending receivers after a record has failed again.

    All receivers of ``before`` stay pending, because a receiver that ``now`` does not mention may not have run. If
    there are pending receivers, a failure that happened before any receiver was called is dropped.
    """
    named = {name: failure for name, failure in (before | now).items() if name}
    return claimed(named or before | now, max((failure.claimed_until for failure in before.values()), default=""))


def is_claimed(pending: Pending, *, own: str = "") -> bool:
    """
    Return whether a replay has claimed the letter and the claim has not ended. A claim that ends at ``own`` does not
    count, because the caller may replace this claim. If ``own`` is empty, each claim counts.
    """
    now = time_text(datetime.now(UTC))
    return any(failure.claimed_until > now and failure.claimed_until != own for failure in pending.values())


def claimed(pending: Pending, until: str) -> Pending:
    """Return ``pending`` with a replay's claim until ``until``; an empty ``until`` removes the claim."""
    return {name: attrs.evolve(failure, claimed_until=until) for name, failure in pending.items()}


def time_text(time: datetime) -> str:
    """Return a time in the format of :class:`Failure`, which is ISO 8601 in UTC with microseconds."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def _by_name(failures: Iterable[Mapping[str, Any]], *, attempts: int, failed_at: datetime) -> Pending:
    found = [Failure(**{name: value for name, value in one.items() if name in _KNOWN}) for one in failures]
    return {
        one.receiver: attrs.evolve(
            one,
            attempts=attempts if one.attempts is None else one.attempts,
            failed_at=one.failed_at or time_text(failed_at),
        )
        for one in found or [Failure(receiver="", error="")]
    }
