"""Why a run of a request begins no further letter."""

from __future__ import annotations

from enum import Enum, auto

import attrs


class HaltKind(Enum):
    """The next thing done with a request whose run has halted."""

    LOST = auto()
    """Nothing: another worker has it, or it was paused or cancelled."""
    HANDED_BACK = auto()
    """Another worker may take it: this one ends, or can begin no letter."""
    HELD = auto()
    """It continues later, in this worker."""
    STOPPED = auto()
    FAILED = auto()


@attrs.frozen
class Halt:
    """A run is over."""

    kind: HaltKind
    note: str = ""
    """Why; without event data."""
