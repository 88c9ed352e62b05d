"""
A row of the tour while it is played: actions in one service, and the data that other services should have afterwards.
"""

from __future__ import annotations

import shlex
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass
from inspect import getdoc
from typing import Any

from examples.tour.stage import Stage

_WIDTH = 100

Look = Callable[[], Any]


class Wrong(Exception):
    """A service does not have the data that it should have."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A use case for which Open edX needs the event bus."""

    number: str
    """Number of the use case, by which the environment variable ROWS selects rows."""
    route: str
    services: tuple[str, ...]
    play: Callable[[Scene], None]

    @property
    def title(self) -> str:
        return (getdoc(self.play) or "").partition("\n")[0]

    @property
    def story(self) -> str:
        return (getdoc(self.play) or "").partition("\n")[2].strip()


@dataclass(frozen=True, kw_only=True)
class Sight:
    """Data that a service should have now, and still have at the end of the tour."""

    service: str
    what: str
    look: Look
    expected: Any

    def wrong(self, seen: Any) -> Wrong:
        return Wrong(f"{self.service}: {self.what}: {seen!r}, not {self.expected!r}")


class Scene:
    """A row that is played on a stage. Times are measured from the start of the latest action."""

    def __init__(self, row: Row, stage: Stage, patience: float = 60) -> None:
        self.row = row
        self.stage = stage
        self.patience = patience
        """Seconds after which an expected result counts as missing."""
        self.sights: list[Sight] = []
        self._began = time.monotonic()

    def play(self) -> None:
        """Play the row. Raises :class:`Wrong` if a service does not get the expected data in time."""
        print(f"\n{self.row.number:<3} {self.row.title:<60} {self.row.route:>35}")
        for line in textwrap.wrap(self.row.story, _WIDTH - 4):
            print(f"    {line}")
        self.row.play(self)

    def do(self, service: str, call: str) -> None:
        """Call a function of the service's ``api`` in its web process."""
        self.say(f"{service}> {call}")
        self._began = time.monotonic()
        self.stage.call(service, call)

    def manage(self, service: str, command: str) -> str:
        """Run a management command of the service; return its output."""
        self.say(f"{service}$ manage.py {command}")
        self._began = time.monotonic()
        return self.stage.manage(service, *shlex.split(command))

    def work(self, service: str, options: str = "") -> None:
        """Start the worker of a service that has no worker yet."""
        self.say(f"{service}$ manage.py consume_events {options}")
        self._began = time.monotonic()
        self.stage.start_worker(service, *shlex.split(options))

    def see(self, service: str, what: str, look: Look, expected: Any, *, for_now: bool = False) -> None:
        """
        Wait until ``look`` returns ``expected`` in ``service``. At the end of the tour, check again whether ``look``
        returns ``expected``, unless ``for_now`` is True. Raises :class:`Wrong`.
        """
        sight = Sight(service=service, what=what, look=look, expected=expected)
        deadline = time.monotonic() + self.patience
        while (seen := look()) != expected:
            if time.monotonic() > deadline:
                raise sight.wrong(seen)
            self.stage.pause(0.02)
        took = f"{(time.monotonic() - self._began) * 1000:.0f} ms"
        self.say(f"{service}: {what}", took)
        if not for_now:
            self.sights.append(sight)

    def say(self, text: str, at_the_end: str = "") -> None:
        room = _WIDTH - 5 - len(at_the_end)
        short = text if len(text) <= room else f"{text[: room - 1]}…"
        print(f"    {short:<{room}} {at_the_end}".rstrip(), flush=True)

    def check_again(self) -> list[str]:
        """Check all expectations again; return the expectations that are no longer met."""
        return [str(sight.wrong(seen)) for sight in self.sights if (seen := sight.look()) != sight.expected]


ROWS: list[Row] = []


def row(number: str, route: str, services: str) -> Callable[[Callable[[Scene], None]], Callable[[Scene], None]]:
    """
    Decorate a function that plays a row. The first line of the function's docstring is the row's title. The other lines
    are the row's story.
    """

    def add(play: Callable[[Scene], None]) -> Callable[[Scene], None]:
        ROWS.append(Row(number=number, route=route, services=tuple(services.split()), play=play))
        return play

    return add
