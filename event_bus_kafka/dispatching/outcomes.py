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
    The record waits ``delay`` seconds without spending an attempt, because the event did not cause the error, or
    because its dead letter cannot be stored now.
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
