"""How an attempt at a record ends."""

from __future__ import annotations

import attrs


@attrs.frozen
class Done:
    """Every receiver has succeeded, or nobody here listens: the record is settled."""


@attrs.frozen
class Retry:
    """The attempt counts; the next one comes after ``delay`` seconds."""

    error: Exception
    delay: float


@attrs.frozen
class Hold:
    """Nothing is wrong with the event: no attempt is spent, and it is tried again after ``delay`` seconds."""

    error: Exception
    delay: float


@attrs.frozen
class GiveUp:
    """No further attempt would help, or none is left."""

    error: Exception


Failed = Retry | Hold | GiveUp
Outcome = Done | Failed
DONE = Done()
