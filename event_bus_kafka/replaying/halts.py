"""The reason why the run of a replay request begins no further letter."""

from __future__ import annotations

from enum import Enum, auto
from math import inf

import attrs


class HaltKind(Enum):
    """The kinds of halt, which determine the next step for the request."""

    LOST = auto()
    """
    This worker stops working on the request, because another worker has it, or an operator has paused or cancelled it.
    """
    HANDED_BACK = auto()
    """Another worker may take the request, because this worker ends or cannot start the replay of a letter."""
    HELD = auto()
    """This worker continues the request later, for example because a server is unavailable at present."""
    STOPPED = auto()
    """The request ends in the state ``stopped``."""
    FAILED = auto()
    """The request ends in the state ``failed``, because this package raised an unexpected exception."""


@attrs.frozen
class Halt:
    """The end of a run, with its reason."""

    kind: HaltKind
    note: str = ""
    """The reason, without event data."""
    within: float = inf
    """
    If the request is held: seconds for which this worker tries again. If the reason exists for longer, the request is
    stopped.
    """
