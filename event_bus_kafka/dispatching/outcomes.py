"""The outcomes of an attempt at a record."""

from __future__ import annotations

import attrs


@attrs.frozen
class Done:
    """Every receiver has succeeded, or there is none: the record is settled."""


@attrs.frozen
class Retry:
    """The attempt counts; the next one comes after ``delay`` seconds."""

    error: Exception
    delay: float


@attrs.frozen
class Hold:
    """The event is not to blame: no attempt is spent, and it is tried again after ``delay`` seconds."""

    error: Exception
    delay: float


@attrs.frozen
class GiveUp:
    """No further attempt would help, or none is left."""

    error: Exception


Failed = Retry | Hold | GiveUp
Outcome = Done | Failed
DONE = Done()
