"""The pending receivers of a dead letter, by name, as its row contains them in JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

import attrs

from event_bus_kafka.dead_letters.letter import Failure, Letter

Pending = dict[str, Failure]
"""Failures of pending receivers, by name, in order. The empty name: no receiver was called."""
_KNOWN = frozenset(field.name for field in attrs.fields(Failure))


@attrs.frozen(kw_only=True)
class Change:
    """A change that is to be written to a letter, computed from the letter as it was read."""

    pending: Pending
    """The receivers that are still pending; empty: the letter is deleted."""
    succeeded: Pending = attrs.field(factory=dict)
    replaced: Mapping[str, Pending] = attrs.field(factory=dict)
    """Receivers that were replaced, by the stand-in that has succeeded."""
    failed_at: datetime | None = None
    """None: unchanged; ``attempts`` likewise."""
    attempts: int | None = None


class LetterRow(Protocol):
    """The columns of a dead letter's row that are read here."""

    failures: Any
    attempts: int
    last_failed_at: datetime


def of_row(row: LetterRow) -> Pending:
    """
    Return the pending receivers of a row. Rows of the version before lack attempts and times by receiver: the letter's
    are taken.
    """
    return _by_name(row.failures, attempts=row.attempts, failed_at=row.last_failed_at)


def of_letter(letter: Letter) -> Pending:
    """Return the pending receivers of a letter that is about to be stored."""
    return _by_name(map(attrs.asdict, letter.failures), attempts=letter.attempts, failed_at=letter.failed_at)


def to_json(pending: Pending) -> list[dict[str, Any]]:
    """Return the value for a row's ``failures``."""
    return [attrs.asdict(failure) for failure in pending.values()]


def merged(before: Pending, now: Pending) -> Pending:
    """
    Return the pending receivers after a record has failed once more.

    All receivers of ``before`` stay pending: the new failure does not mention them, which does not mean that they have
    run.
    """
    named = {name: failure for name, failure in (before | now).items() if name}
    return claimed(named or before | now, max((failure.claimed_until for failure in before.values()), default=""))


def is_claimed(pending: Pending, *, own: str = "") -> bool:
    """Whether a replay has the letter now, but for that whose claim ends at ``own``."""
    now = time_text(datetime.now(UTC))
    return any(failure.claimed_until > now and failure.claimed_until != own for failure in pending.values())


def claimed(pending: Pending, until: str) -> Pending:
    """Return it with the claim of a replay; empty: with none."""
    return {name: attrs.evolve(failure, claimed_until=until) for name, failure in pending.items()}


def time_text(time: datetime) -> str:
    """Return a time as failures have it."""
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
