"""Dead letters, and the protocol that stores of dead letters implement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from traceback import walk_tb
from typing import Protocol

import attrs

from event_bus_kafka.errors import DeserializationError, ReceiversFailed
from event_bus_kafka.telemetry.error_text import error_text
from event_bus_kafka.wire import cloudevents, serde
from event_bus_kafka.wire.deletion import record_deleted
from event_bus_kafka.wire.records import ConsumerRecord, size_of

LONGEST_TYPE = 255
_LONGEST_IN_JSON = 12
"""Maximum bytes of one character in JSON: a character may be escaped as a pair of surrogates, of six bytes each."""


@attrs.frozen(kw_only=True)
class Failure:
    """
    The reason why a receiver failed, or why the record could not be read. Contains no event data, because
    :meth:`of` omits the texts of exceptions that this package does not define.
    """

    receiver: str
    """The receiver's name, ``module.qualname``; empty if the record failed before any receiver was called."""
    error: str
    place: str = ""
    """File, line and function that raised the error; empty if unknown, or if no receiver was called."""
    attempts: int | None = None
    """Number of failed calls of this receiver; None: the same as the letter's number of attempts."""
    failed_at: str = ""
    """Time of the receiver's last failure (ISO 8601, UTC); empty: the time of the letter's last failure."""
    instead_of: str = ""
    """Name of the receiver that ``receiver`` replaces as a stand-in; empty: ``receiver`` is not a stand-in."""
    claimed_until: str = attrs.field(default="", eq=False)
    """Time (ISO 8601, UTC) until which a replay has claimed the letter; empty: no replay has claimed it."""

    @classmethod
    def of(cls, error: Exception, receiver: str = "", *, attempts: int | None = None) -> Failure:
        """Return the failure that ``error`` describes, without event data."""
        frames = list(walk_tb(error.__traceback__))
        code, line = (frames[-1][0].f_code, frames[-1][1]) if frames and receiver else (None, 0)
        place = f"{code.co_filename}:{line} in {code.co_qualname}" if code else ""
        text = error_text(error).replace("\0", "\N{REPLACEMENT CHARACTER}")  # PostgreSQL's JSON has no NUL
        return cls(receiver=receiver, error=text, place=place, attempts=attempts)


@attrs.frozen(kw_only=True)
class LeftOut:
    """
    The size and the digest of a part that was left out of a letter, because the store refused the letter with this
    part.
    """

    size: int
    """Size of the part in bytes."""
    sha256: str
    """SHA-256 of the part, in hexadecimal digits."""


@attrs.frozen(kw_only=True)
class Letter:
    """A dead letter that is about to be stored."""

    group: str
    record: ConsumerRecord
    event_type: str
    """The event type; empty if the record's headers do not contain it. The same applies to ``event_id``."""
    event_id: str
    failures: tuple[Failure, ...]
    attempts: int
    failed_at: datetime
    left_out: Mapping[str, LeftOut] = attrs.field(factory=dict)
    """
    Name of a left-out part → its size and hash. The parts are ``value``, ``headers``, ``key`` and ``texts``. If one of
    the first three is left out, the attribute with its name is empty in ``record``.
    """

    @property
    def size(self) -> int:
        """
        Maximum bytes that the parts of variable length need in a table; JSON escapes make headers and texts longer.
        """
        texts = sum(len(failure.error) + len(failure.place) for failure in self.failures)
        headers = size_of(self.record.headers)
        return len(self.record.value or b"") + len(self.record.key or b"") + _LONGEST_IN_JSON * (texts + headers)

    @classmethod
    def of(
        cls,
        record: ConsumerRecord,
        *,
        group: str,
        error: Exception,
        attempts: int,
        attempts_of: Mapping[str, int] | None = None,
    ) -> Letter:
        """
        Return the letter of a record that was given up; ``attempts_of``: name of a receiver → its failed attempts.
        """
        event_type, event_id = identity(record)
        return cls(
            group=group,
            record=record,
            event_type=event_type,
            event_id=event_id,
            failures=failures_of(error, attempts_of or {}),
            attempts=attempts,
            failed_at=datetime.now(UTC),
        )


class Store(Protocol):
    """A store of dead letters. Several lanes call its method at the same time."""

    def store(self, letter: Letter) -> None:
        """
        Store a dead letter durably before returning. If a letter with the same group, coordinates and event id exists,
        update the existing letter.

        Raises :class:`DeadLetterStoreFailed` or any other exception if the letter is not stored. After an exception the
        record waits for another attempt.
        """


def failures_of(error: Exception, attempts_of: Mapping[str, int]) -> tuple[Failure, ...]:
    """Return a failure for each receiver in ``error``. If no receiver failed, return one failure for the record."""
    if isinstance(error, ReceiversFailed):
        causes = dict(reversed(list(zip(error.receivers, error.exceptions, strict=True))))
        names = dict.fromkeys(error.receivers)
        return tuple(Failure.of(causes[name], name, attempts=attempts_of.get(name)) for name in names)
    return (Failure.of(error),)


def identity(record: ConsumerRecord) -> Sequence[str]:
    """
    Return event type and event id; each is empty if it cannot be read from the headers. The type is shortened and freed
    of null characters so that any database stores it.
    """
    if record.value is None:
        return _identity_of_tombstone(record)
    try:
        event_type = cloudevents.event_type(record.headers).replace("\0", "\N{REPLACEMENT CHARACTER}")[:LONGEST_TYPE]
    except DeserializationError:
        return "", ""
    try:
        return event_type, str(cloudevents.to_metadata(record.headers, record.timestamp).id)
    except DeserializationError:
        return event_type, ""


def _identity_of_tombstone(record: ConsumerRecord) -> Sequence[str]:
    try:
        return record_deleted.event_type, str(serde.metadata_of_tombstone(record).id)
    except DeserializationError:
        return record_deleted.event_type, ""
