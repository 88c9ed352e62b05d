"""Why a run of a request begins no further letter."""

from __future__ import annotations

from enum import Enum, auto

import attrs


class HaltKind(Enum):
    """The next thing done with a request whose run has halted."""

    LOST = auto()
    """Nothing: it is another worker's, or was paused or cancelled."""
    HANDED_BACK = auto()
    """The worker ends: another one may take it."""
    HELD = auto()
    """It goes on later, here."""
    STOPPED = auto()
    FAILED = auto()


@attrs.frozen
class Halt:
    """A run is over."""

    kind: HaltKind
    note: str = ""
    """Why; without event data."""
