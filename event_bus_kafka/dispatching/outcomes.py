"""The outcomes of an attempt at a record."""

from __future__ import annotations

import attrs


@attrs.frozen
class Done:
    """Every receiver has succeeded, or no receiver gets the event: the record is settled."""


@attrs.frozen
class Retry:
    """The attempt counts as failed; the next attempt comes after ``delay`` seconds."""

    error: Exception
    delay: float


@attrs.frozen
class Hold:
    """The event did not cause the error: the attempt does not count, and the next one comes after ``delay`` seconds."""

    error: Exception
    delay: float


@attrs.frozen
class GiveUp:
    """No further attempt would help, or none is left: the record becomes a dead letter."""

    error: Exception


Failed = Retry | Hold | GiveUp
Outcome = Done | Failed
DONE = Done()
