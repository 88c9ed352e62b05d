"""A worker's run of a replay request: decides which letter may begin now."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from math import inf
from time import monotonic
from typing import Generic, TypeVar

import attrs

from event_bus_kafka.consuming.progress import Delivery, Detached, PartitionProgress, Work
from event_bus_kafka.dispatching import cleanup
from event_bus_kafka.dispatching.outcomes import DONE, Outcome
from event_bus_kafka.kafka.offsets import Partition
from event_bus_kafka.models import LetterState, ReplayRequest
from event_bus_kafka.replaying.halts import Halt, HaltKind
from event_bus_kafka.replaying.turns import RequestTurn, TurnRun
from event_bus_kafka.shown import logger_named
from event_bus_kafka.wire.records import ConsumerRecord

logger = logger_named(__name__)

BEAT_WITHIN = 30.0
"""
Seconds after a heartbeat within which a letter may begin. After twice this time without a heartbeat another worker
takes over the request.
"""
_REST = 5.0
"""
Minimum pause after a letter, as a multiple of the letter's duration. It applies while records of the assigned
partitions wait or run.
"""
_STUCK_AFTER = 5.0
"""Seconds after which a letter that waits for a record of its key no longer prevents other letters from beginning."""
_MOST = 100
"""Maximum number of letters that may wait for records of their keys."""
_SOON, _LATER = 0.005, 0.05
"""
Shortest and longest time until the next call of ``submit``, in seconds. Between them, the rate determines the time. The
longest time applies if no letter is waiting.
"""
_MADE_UP_FOR = 1.0
"""
After a pause, a run begins several letters at once to make up for at most this number of seconds. So even a long pause
does not lead to a high rate.
"""


@attrs.frozen(kw_only=True)
class LetterLanes:
    """Functions and settings of a worker's lanes, for replays."""

    submit: Callable[[Delivery], None]
    count: int
    connection_max_age: float
    """Seconds after which a database connection is too old, and is closed before the next letter."""
    records: Callable[[], Sequence[Delivery | None]] = tuple
    """
    Returns the record of each lane, or None for a free lane. Returns an empty sequence if the records are unknown. Any
    thread may call this function.
    """


Requested = TypeVar("Requested", bound=RequestTurn)


class RequestRun(Generic[Requested]):
    """
    Begins the letters of a request in their order, each through the actor of its key. The rate and live events limit
    the speed. In a replay of a topic, a letter is a record. In a backfill, a letter is a batch of items.

    The housekeeping thread calls ``fill`` and ``keep_on``. The polling thread calls ``submit``, which submits due
    letters to the lanes and returns the seconds until its next call. After a halt, the run begins no further letter. A
    new run may continue the request.
    """

    def __init__(
        self,
        request: ReplayRequest,
        letters: TurnRun[Requested],
        lanes: LetterLanes,
        clock: Callable[[], float] = monotonic,
        *,
        each: int = 1,
    ) -> None:
        """``each``: number of items in one letter. The request's rate counts items."""
        self.halt: Halt | None = None
        self.filled_to = -1
        """The number of the last letter that ``fill`` has added; -1: none."""
        self.is_all = False
        """Whether ``fill`` has added all letters of the request."""
        self.ended = 0
        """Number of letters that have ended."""
        self.has_passed_over = False
        """Whether a replay of a topic has moved past records for which no receiver is called."""
        self.is_busy = False
        """Whether records of the assigned partitions waited or ran when the polling thread last called ``submit``."""
        self.failures_in_row: int = request.failures_in_row
        self._stop_after: int = request.stop_after
        self._what = "letters" if request.group else "records"
        self._rate: float = (request.rate or inf) / each
        self._letters = letters
        self._lanes = lanes
        self._clock = clock
        self._lock = threading.Lock()
        self._fresh_until = -inf
        self._todo: deque[tuple[Requested, bytes | None]] = deque()
        self._submitted: Mapping[Detached, float] = {}
        """
        Unfinished letter → the time of its submission. The mapping is replaced, never changed, because other threads
        read it.
        """
        self._due = clock()
        self._rests_until = -inf
        self._partitions: dict[Partition, PartitionProgress] = {}

    def fill(self, letters: Iterable[tuple[Requested, bytes | None]], *, is_all: bool) -> None:
        """Add the next letters, with the keys of their records. ``is_all``: whether no more letters follow."""
        for letter, key in letters:
            self._todo.append((letter, key))
            self.filled_to = letter.number
        self.is_all = is_all

    def keep_on(self, beat_at: float) -> None:
        """
        Let letters begin until ``BEAT_WITHIN`` seconds after ``beat_at``. ``beat_at``: the time just before the last
        heartbeat, by the clock of this run.
        """
        self._fresh_until = beat_at + BEAT_WITHIN

    def end(self, halt: Halt) -> None:
        """Begin no further letter, because of ``halt``; only the first halt counts."""
        with self._lock:
            self.halt = self.halt or halt

    @property
    def has_moved(self) -> bool:
        """Whether letters have ended, or records were passed over."""
        return self.ended > 0 or self.has_passed_over

    @property
    def waiting(self) -> int:
        """Number of letters that ``fill`` has added and ``submit`` has not submitted yet."""
        return len(self._todo)

    @property
    def running(self) -> Collection[Detached]:
        """Letters that have begun and not ended."""
        return [one for one in self._submitted if one.has_begun and not one.done]

    @property
    def is_over(self) -> bool:
        """
        Whether no letter is left. Read this before ``halt``, because the last letter may halt the run instead of
        ending.
        """
        return self.is_all and not self._todo and all(one.done for one in self._submitted)

    def submit(self, *, is_busy: bool) -> float:
        self.is_busy = is_busy
        if self.halt is not None:
            return _LATER
        self._submitted = {one: since for one, since in self._submitted.items() if not one.done}
        now = self._clock()
        while self._todo and self._has_room(now, is_busy):
            letter, key = self._todo[0]
            delivery = self._delivery(letter, key)
            self._submitted = {**self._submitted, delivery: now}
            self._todo.popleft()
            self._due = max(self._due, now - _MADE_UP_FOR) + 1 / self._rate
            self._lanes.submit(delivery)
        return min(max(_SOON, self._due - now), _LATER) if self._todo else _LATER

    def _has_room(self, now: float, is_busy: bool) -> bool:
        if now < self._due or len(self._submitted) >= _MOST or (is_busy and now < self._rests_until):
            return False
        counted = sum(one.has_begun or now - since < _STUCK_AFTER for one, since in self._submitted.items())
        return counted < (1 if is_busy else self._lanes.count)

    def _delivery(self, letter: Requested, key: bytes | None) -> Detached:
        name = (letter.topic, letter.partition)
        partition = self._partitions.setdefault(name, PartitionProgress(*name))
        record = ConsumerRecord(
            topic=letter.topic,
            partition=letter.partition,
            offset=letter.offset,
            timestamp=None,
            key=key,
            value=None,
            headers=(),
        )
        return Detached(record, partition, letter.offset, 0, process=lambda delivery: self._process(letter, delivery))

    def _process(self, letter: Requested, delivery: Detached) -> Outcome:
        delivery.has_begun = True  # first: after a halt the other threads look at has_begun
        began = self._clock()
        if began > self._fresh_until:
            self.end(Halt(HaltKind.HELD, f"its worker could not write a heartbeat for {BEAT_WITHIN:g} s"))
        if self.halt is None:
            self._run(letter, delivery)
            now = self._clock()
            self._rests_until = max(self._rests_until, now + _REST * (now - began))
        return DONE

    def _run(self, letter: Requested, delivery: Detached) -> None:
        def note(work: Work) -> None:
            delivery.work = work

        cleanup.prepare(self._lanes.connection_max_age)
        try:
            came_of_it = self._letters.run(letter, note)
        except Exception as error:  # an error of a request must not end the worker
            logger.exception("A replay request has failed at %s", letter.coordinates)
            came_of_it = Halt(HaltKind.FAILED, f"this package raised {type(error).__name__} at {letter.coordinates}")
        finally:
            cleanup.close_after_errors()
            cleanup.give_back()
        if isinstance(came_of_it, Halt):
            self.end(came_of_it)
        else:
            self._count(came_of_it)

    def _count(self, state: LetterState) -> None:
        with self._lock:
            self.ended += 1
            if state == LetterState.FAILED:
                self.failures_in_row += 1
            elif state in (LetterState.SUCCEEDED, LetterState.PARTLY):
                self.failures_in_row = 0
        if self.failures_in_row >= self._stop_after:
            self.end(Halt(HaltKind.STOPPED, f"{self.failures_in_row} {self._what} in a row failed"))
