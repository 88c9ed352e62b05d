"""The reason why the run of a replay request begins no further letter."""

from __future__ import annotations

from enum import Enum, auto

import attrs


class HaltKind(Enum):
    """The kinds of halt: they determine the next step for the request."""

    LOST = auto()
    """This worker does nothing more: another worker has the request, or an operator has paused or cancelled it."""
    HANDED_BACK = auto()
    """This worker ends: another worker may take the request."""
    HELD = auto()
    """This worker continues the request later."""
    STOPPED = auto()
    FAILED = auto()


@attrs.frozen
class Halt:
    """The end of a run, with its reason."""

    kind: HaltKind
    note: str = ""
    """The reason, without event data."""
