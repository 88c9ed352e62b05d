"""The outcomes of an attempt at a record."""

from __future__ import annotations

import attrs


@attrs.frozen
class Done:
    """
    The record is finished: every receiver has succeeded, no receiver gets the event, or its dead letter is stored.
    """


@attrs.frozen
class Retry:
    """The attempt counts as failed; the next attempt comes after ``delay`` seconds."""

    error: Exception
    delay: float


@attrs.frozen
class Hold:
    """
    The outcome if the event did not cause the error. The attempt does not count. The next attempt is made after
    ``delay`` seconds.
    """

    error: Exception
    delay: float


@attrs.frozen
class GiveUp:
    """No further attempt would help, or no attempt is left. So the record becomes a dead letter."""

    error: Exception


Failed = Retry | Hold | GiveUp
Outcome = Done | Failed
DONE = Done()
