"""One object per topic: whether it takes records, since when, and what of it a batch awaits."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum
from time import monotonic

from event_bus_kafka.errors import BrokerError
from event_bus_kafka.kafka.producer import unheard
from event_bus_kafka.relaying.claims import Row
from event_bus_kafka.relaying.refusals import Refusals
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.error_text import database_error_text
from event_bus_kafka.telemetry.events import TopicHeld, TopicResumed
from event_bus_kafka.wire.records import ProducerRecord

_FIRST, _FACTOR, _LONGEST = 1.0, 2.0, 30.0
"""Backoff of a topic: seconds until the first try, their growth with each refusal, and the longest."""
_FIRST_OF_SILENT = 5.0
"""Seconds until the first try of a silent topic. Longer, since each try of it keeps the other topics waiting."""
_PATIENCE, _MORE_PATIENCE = 2.0, 0.1
"""A topic may be silent for 2 s plus a tenth of its last backoff before it is held: slow is not dead."""
_FORGOTTEN = 100
"""Batches, of all that waited, after which a topic that is to be tried is open again if no row of it came up."""
TRIED_ROWS = 10
"""Rows of a batch with which a topic is tried that was held."""
ALONE_ROWS = 300
"""Rows of a batch that are sent one by one to find those which Kafka refuses."""


class TopicState(Enum):
    """How a topic is dealt with."""

    OPEN = "takes records"
    TRIED = "is tried: its rows go one by one"
    BACKING_OFF = "is left alone for a while"


class Topic:
    """
    A topic is open until Kafka refuses a request for it. Then it is held, longer each time, or its rows are sent one by
    one: a request is refused as a whole, whichever of its rows is wrong. One that was held is tried likewise.
    """

    def __init__(self, name: str, clock: Callable[[], float]) -> None:
        self.name = name
        self.state = TopicState.OPEN
        self.refusals = Refusals()
        self._clock = clock
        self._due = 0.0
        """When a topic that backs off is tried."""
        self._batches = 0
        """How many saw all that waited since a row of a topic that is tried came up."""
        self._delay = 0.0
        """The last backoff; 0 while the topic is not held."""
        self.held_since = 0.0
        """When it was held, by the clock, and did not take a row since."""
        self.held_because = ""
        """Why it was held last."""
        self._alone_until = 0
        """The id of the last row that has to be sent by itself."""
        self.begin_batch()

    def begin_batch(self, *, saw_all: bool = True) -> None:
        """Forget the batch before, which ``saw_all`` that waited or not. A topic that is due is tried."""
        if self.state is TopicState.BACKING_OFF and self._clock() >= self._due:
            self.state, self._batches = TopicState.TRIED, 0
        elif self.state is TopicState.TRIED:
            self._batches += saw_all
            if self._batches > _FORGOTTEN:
                self.refusals.end()
                self._open()
        self.takes_rows = self.state is not TopicState.BACKING_OFF
        """Whether more rows of it may be sent in this batch."""
        self.waiting: deque[tuple[Row, ProducerRecord]] = deque()
        """Rows that go one by one."""
        self.unreported = 0
        """Records without a report."""
        self.is_silent = False
        self.heard = self._quiet_since = 0.0
        """When a record was reported last, and since when none was although some are in flight."""
        self.tries = ALONE_ROWS if self._alone_until else TRIED_ROWS
        """How many rows of it may go by themselves in this batch."""
        self.refusals.undecided.clear()
        self._keys: set[bytes] = set()
        """The keys of these rows."""
        self._reached = self._left = 0
        self._has_taken = False

    @property
    def is_held(self) -> bool:
        """Whether it was held and has taken nothing since."""
        return self._delay > 0

    @property
    def awaited(self) -> int:
        """Rows that are worth waiting for."""
        return 0 if self.is_silent else self.unreported + len(self.waiting)

    @property
    def limit(self) -> int:
        """How many rows of it a batch is to look at. Where several keys are tried, their first rows may lie apart."""
        if self.state is TopicState.BACKING_OFF:
            return 0
        return ALONE_ROWS if self.refusals.are_of_the_topic else self.tries

    def line_up(self, row: Row, record: ProducerRecord) -> None:
        """Take a row that is to be sent by itself, if it may be sent in this batch."""
        self._batches, self._reached = 0, row.id
        if self._alone_until and row.id > self._alone_until:
            self.takes_rows = False
        elif not (self.refusals.are_of_the_topic and row.key in self._keys):  # then rows of several keys tell most
            self._keys.add(row.key)
            self.waiting.append((row, record))
            self.tries -= 1
            self.takes_rows = self.tries > 0

    def next_alone(self) -> tuple[Row, ProducerRecord] | None:
        """Return the next row that goes by itself, if the one before was reported."""
        return self.waiting.popleft() if self.waiting and not self.unreported else None

    def leave(self, row: Row) -> None:
        """A row waits for another one of its key, and is taken for one of the same request."""
        self._left = row.id

    def sent(self) -> None:
        """A record was handed to the client."""
        if not self.unreported:
            self._quiet_since = self._clock()
        self.unreported += 1

    def reported(self) -> None:
        self.unreported -= 1
        self.heard = self._quiet_since = self._clock()

    def taken(self) -> list[tuple[Row, BrokerError]]:
        """
        Note that Kafka has taken a row, whether sent alone or not.

        Return the rows that it refused before in this batch: they are to blame, not the topic.
        """
        self._has_taken = True
        return self.refusals.end()

    def refused(self, row: Row, error: BrokerError) -> None:
        """Kafka has refused a row that was sent by itself."""
        self.refusals.add(row, error)
        if self._alone_until and self.refusals.are_of_the_topic:
            self.stop()

    def hold(self, error: Exception, *, silent: bool = False) -> None:
        """Leave the topic alone, longer each time."""
        self.stop()
        self._alone_until = 0
        if self.state is TopicState.BACKING_OFF:
            return  # another row of it has said so
        if not self.is_held:
            self.held_since = self._clock()
        self.held_because = database_error_text(error)
        first = _FIRST_OF_SILENT if silent else _FIRST
        self._delay = min(self._delay * _FACTOR, _LONGEST) if self._delay else first
        self.state, self._due = TopicState.BACKING_OFF, self._clock() + self._delay
        emit(TopicHeld(topic=self.name, error=error, delay=self._delay))

    def send_alone(self, row: Row) -> None:
        """From the next batch on, send the rows up to ``row``, and rows that wait for it, one by one."""
        self.stop()
        self._alone_until = max(self._alone_until, row.id, self._left)
        if self.state is TopicState.OPEN:
            self.state, self._batches = TopicState.TRIED, 0

    def stop(self) -> None:
        """Send no more rows of it in this batch: some that were to go by themselves may be left."""
        self.takes_rows = False
        self._reached = 0
        self.waiting.clear()

    def end_batch(self) -> tuple[list[tuple[Row, BrokerError]], list[int]]:
        """
        Open a topic that was tried and takes its rows, or hold it. Return the rows to park, and the ids of rows to put
        back that were parked before.
        """
        if self.state is TopicState.TRIED:
            self._judge()
        return self.refusals.decide()

    def is_newly_silent(self, others_heard: float) -> bool:
        """
        Whether a record of it waits for a report for long, while others had theirs since then. Once.

        Without any report at all Kafka itself is away, and no topic is to blame.
        """
        if self.is_silent or not self.unreported or others_heard <= self._quiet_since:
            return False
        self.is_silent = self._clock() - self._quiet_since > _PATIENCE + _MORE_PATIENCE * self._delay
        return self.is_silent

    def _judge(self) -> None:
        if self.refusals.undecided and self.refusals.are_of_the_topic:
            self.hold(self.refusals.undecided[-1][1])
        elif self.unreported or self.waiting:
            return
        elif self._reached >= self._alone_until if self._alone_until else self._has_taken:
            self._open()

    def _open(self) -> None:
        was_held, self._delay, self._alone_until = self.is_held, 0.0, 0
        self.state = TopicState.OPEN
        if was_held:
            emit(TopicResumed(topic=self.name))


class Topics(dict[str, Topic]):
    """All topics of which a relay had rows, by name; one that is new is made when it is asked for."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        super().__init__()
        self._clock = clock

    def __missing__(self, name: str) -> Topic:
        topic = self[name] = Topic(name, self._clock)
        return topic

    def begin_batch(self, *, saw_all: bool = True) -> None:
        for topic in self.values():
            topic.begin_batch(saw_all=saw_all)

    @property
    def awaited(self) -> int:
        """Rows that are worth waiting for."""
        return sum(topic.awaited for topic in self.values())

    @property
    def lined_up(self) -> int:
        """Rows that go one by one, and wait for their turn."""
        return sum(len(topic.waiting) for topic in self.values())

    @property
    def held(self) -> tuple[str, ...]:
        """The names of held topics, whether due or not."""
        return tuple(sorted(topic.name for topic in self.values() if topic.is_held))

    @property
    def limits(self) -> dict[str, int]:
        """How many rows of a topic a batch may take at most, where that is less than all: 0 of one that backs off."""
        return {topic.name: topic.limit for topic in self.values() if topic.state is not TopicState.OPEN}

    def hold_silent(self) -> None:
        """Hold topics that lack reports for long while others have some."""
        heard = max((topic.heard for topic in self.values()), default=0.0)
        for topic in self.values():
            if topic.is_newly_silent(heard):
                topic.hold(unheard(), silent=True)
