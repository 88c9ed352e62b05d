"""The threads that run receivers, and the decision how many of them are awake."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable, Iterator

import attrs

from event_bus_kafka.consuming.progress import Delivery

_LOOK_EVERY = 0.015
"""
Seconds between two measurements of the process's share of a processor: long enough to be meaningful, short enough to
adapt quickly.
"""
_STACK_FRAMES = 12
"""Maximum number of stack frames that are shown of a hung receiver. Only the innermost frames are shown."""


class Lane(threading.Thread):
    """
    A thread that calls ``turn`` again and again, and ends when ``turn`` returns False. While ``awake`` is not set, the
    thread waits before its next call. ``running`` is the record that the thread processes; None: the thread processes
    no record.
    """

    def __init__(self, number: int, turn: Callable[[Lane], bool]) -> None:
        super().__init__(name=f"event-bus-lane-{number}", daemon=True)
        self.running: Delivery | None = None
        self.has_failed = False
        self.awake = threading.Event()
        self._turn = turn

    def run(self) -> None:
        while self._turn(self):
            if not self.awake.is_set():
                self.awake.wait()

    def stack(self) -> str:
        """Return the lane's call stack with file names, lines and functions, but without values."""
        frame = sys._current_frames().get(self.ident or 0)
        return "".join(traceback.format_stack(frame)[-_STACK_FRAMES:]).rstrip() if frame else ""

    def places(self) -> str:
        """Return the lane's call stack in one line, the innermost frame first."""
        frame = sys._current_frames().get(self.ident or 0)
        places = traceback.StackSummary.extract(traceback.walk_stack(frame), limit=_STACK_FRAMES, lookup_lines=False)
        return " < ".join(f"{one.filename}:{one.lineno} in {one.name}" for one in places) if frame else ""


@attrs.define
class LanePace:
    """
    The number of lanes that are awake, between 1 and ``lanes``.

    If receivers wait for input or output, each further lane makes the worker faster. If receivers compute, each further
    lane makes the worker slower, because threads that compete for the interpreter use twice the processor time of one
    thread. So the number depends on the share of a processor that the process uses. A lane is stuck if it still runs
    the same record as at the last measurement. Stuck lanes finish no records. Therefore at least one lane more than the
    stuck ones is awake, up to ``lanes``.
    """

    lanes: int
    awake: int = 1

    def adapt(self, share: float, stuck: int) -> None:
        """
        Change the number of awake lanes; call this method only if actors wait for a lane. ``share``: the part of a
        processor that the process has used since the last measurement. ``stuck``: the number of lanes that still run
        the same record as at the last measurement.
        """
        if share < 0.8:
            self.awake *= 2
        elif share > 0.95:
            self.awake = self.awake * 3 // 4
        self.awake = min(max(self.awake, 1 + stuck), self.lanes)


class Lanes:
    """
    All lanes of a worker. Any thread may iterate over the lanes; only the polling thread changes how many are awake.
    """

    def __init__(
        self, number: int, turn: Callable[[Lane], bool], *, clock: Callable[[], float], cpu: Callable[[], float]
    ) -> None:
        self._lanes = [Lane(index, turn) for index in range(number)]
        self._pace = LanePace(number)
        self._clock, self._cpu = clock, cpu
        self._last_look = clock(), cpu()
        self._running_then: list[Delivery | None] = []
        self._wake(self._pace.awake)

    def __iter__(self) -> Iterator[Lane]:
        return iter(self._lanes)

    def __len__(self) -> int:
        return len(self._lanes)

    @property
    def awake(self) -> int:
        """The number of lanes that are awake."""
        return min(self._pace.awake, len(self._lanes))

    def start(self) -> None:
        """Start the threads."""
        for lane in self._lanes:
            lane.start()

    def adapt(self, *, backlog: bool) -> None:
        """
        Measure the process's share of a processor, at most every ``_LOOK_EVERY`` seconds. ``backlog``: whether actors
        wait for a lane; if so, adapt the number of awake lanes.
        """
        then, cpu_then = self._last_look
        now = self._clock()
        if now - then < _LOOK_EVERY or len(self._lanes) == 1:
            return
        cpu = self._cpu()
        running = [lane.running for lane in self._lanes]
        if backlog:
            stuck = sum(one is not None and one in self._running_then for one in running)
            self._pace.adapt((cpu - cpu_then) / (now - then), stuck)
            self._wake(self._pace.awake)
        self._last_look, self._running_then = (now, cpu), running

    def wake_all(self) -> None:
        """Wake all lanes, so that each lane can notice that it has to end."""
        self._wake(len(self._lanes))

    def _wake(self, number: int) -> None:
        for index, lane in enumerate(self._lanes):
            (lane.awake.set if index < number else lane.awake.clear)()
