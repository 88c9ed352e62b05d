"""Turns: the parts of a replay request, each of which runs on a lane without interruption."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from event_bus_kafka.consuming.progress import Work
from event_bus_kafka.models import LetterState
from event_bus_kafka.replaying.halts import Halt


class RequestTurn(Protocol):
    """
    A turn of a request: a dead letter, a record, or a batch of items. The turn runs through the actor of the record's
    key.
    """

    @property
    def number(self) -> int:
        """Position of the turn within the request."""

    @property
    def topic(self) -> str: ...

    @property
    def partition(self) -> int: ...

    @property
    def offset(self) -> int: ...

    @property
    def coordinates(self) -> str: ...


Turn_contra = TypeVar("Turn_contra", bound=RequestTurn, contravariant=True)


class TurnRun(Protocol[Turn_contra]):
    """Runs the turns of a request. Several lanes call it at once."""

    def run(self, requested: Turn_contra, began: Callable[[Work], None], /) -> LetterState | Halt:
        """
        Run a turn and return its result, or a halt if no further turn may begin. ``began`` is called with the attempt's
        ``Work`` when an attempt begins.
        """
