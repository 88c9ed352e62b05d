"""The state of each topic of a relay: whether it takes records, and which of its rows a batch awaits."""

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
"""Seconds until the first try of a silent topic. Longer, since each try makes the other topics wait."""
_PATIENCE, _MORE_PATIENCE = 2.0, 0.1
"""A topic may be silent for 2 s plus a tenth of its last backoff before it is held: slow is not dead."""
_FORGOTTEN = 100
"""Batches that took all waiting rows, after which a topic under trial is open again if it had no row in them."""
TRIED_ROWS = 10
"""Rows per batch by which a topic that was held is tried."""
ALONE_ROWS = 300
"""Rows per batch that are sent one by one to find the refused ones."""


class TopicState(Enum):
    """The state in which a relay keeps a topic."""

    OPEN = "takes records"
    TRIED = "is tried: its rows go one by one"
    BACKING_OFF = "is left alone for a while"


class Topic:
    """
    The state of one topic.

    It is open until Kafka refuses a request for it. Then it is held, longer each time, or its rows are sent one by one,
    since a request is refused as a whole, whichever of its rows is wrong. A topic that was held is tried one by one,
    too.
    """

    def __init__(self, name: str, clock: Callable[[], float]) -> None:
        self.name = name
        self.state = TopicState.OPEN
        self.refusals = Refusals()
        self._clock = clock
        self._due = 0.0
        """Time at which a topic that backs off is tried."""
        self._batches = 0
        """Number of batches that took rows of each waiting topic, since the last one with a row of this topic."""
        self._delay = 0.0
        """The last backoff; 0 while the topic is not held."""
        self.held_since = 0.0
        """Time since which it is held and took no row."""
        self.held_because = ""
        """The reason why it was held last."""
        self._alone_until = 0
        """Id of the last row that has to be sent alone."""
        self.begin_batch()

    def begin_batch(self, *, saw_all: bool = True) -> None:
        """Forget the batch before; ``saw_all``: whether it took all waiting rows. A topic that is due is tried."""
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
        """Rows that are sent one by one."""
        self.unreported = 0
        """Number of records without a report."""
        self.is_silent = False
        self.heard = self._quiet_since = 0.0
        """Time of the last report, and time since which records are in flight without one."""
        self.tries = ALONE_ROWS if self._alone_until else TRIED_ROWS
        """Number of its rows that may be sent one by one in this batch."""
        self.refusals.undecided.clear()
        self._keys: set[bytes] = set()
        """The keys of these rows."""
        self._reached = self._left = 0
        self._has_taken = False

    @property
    def is_open(self) -> bool:
        """Whether its rows are sent as most are."""
        return self.state is TopicState.OPEN and self.takes_rows

    @property
    def is_held(self) -> bool:
        """Whether it was held and has taken no row since."""
        return self._delay > 0

    @property
    def awaited(self) -> int:
        """Number of rows that a batch waits for: in flight, or yet to be sent one by one."""
        return 0 if self.is_silent else self.unreported + len(self.waiting)

    @property
    def limit(self) -> int:
        """Most rows that a batch may plan. If several keys are tried, their first rows may lie far apart."""
        if self.state is TopicState.BACKING_OFF:
            return 0
        return ALONE_ROWS if self.refusals.are_of_the_topic else self.tries

    def line_up(self, row: Row, record: ProducerRecord) -> None:
        """Queue a row that is to be sent alone, if it may be sent in this batch."""
        self._batches, self._reached = 0, row.id
        if self._alone_until and row.id > self._alone_until:
            self.takes_rows = False
        elif not (self.refusals.are_of_the_topic and row.key in self._keys):  # then rows of several keys tell most
            self._keys.add(row.key)
            self.waiting.append((row, record))
            self.tries -= 1
            self.takes_rows = self.tries > 0

    def next_alone(self) -> tuple[Row, ProducerRecord] | None:
        """Return the next row to send alone, if the one before was reported."""
        return self.waiting.popleft() if self.waiting and not self.unreported else None

    def leave(self, row: Row) -> None:
        """Note a row that waits for another one of its key; if a request is refused, it counts as one of it."""
        self._left = row.id

    def sent(self, count: int = 1) -> None:
        """Note that records were handed to a client."""
        if not self.unreported:
            self._quiet_since = self._clock()
        self.unreported += count

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
        """Note that Kafka has refused a row that was sent alone."""
        self.refusals.add(row, error)
        if self._alone_until and self.refusals.are_of_the_topic:
            self.stop()

    def hold(self, error: Exception, *, silent: bool = False) -> None:
        """Hold the topic, longer each time."""
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
        """Send no more of its rows in this batch: rows that were to be sent alone may be left."""
        self.takes_rows = False
        self._reached = 0
        self.waiting.clear()

    def end_batch(self) -> tuple[list[tuple[Row, BrokerError]], list[int]]:
        """
        Open a topic that was tried and took its rows, or hold it again.

        Return the rows to park, and the ids of parked rows to put back.
        """
        if self.state is TopicState.TRIED:
            self._judge()
        return self.refusals.decide()

    def is_newly_silent(self, others_heard: float) -> bool:
        """
        Return, once, whether a record has lacked a report for long while other topics had reports since.

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
    """All topics of which a relay had rows, by name; asking for a new name adds it."""

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
        """Number of rows that a batch waits for: in flight, or yet to be sent one by one."""
        return sum(topic.awaited for topic in self.values())

    @property
    def lined_up(self) -> int:
        """Number of rows that wait for their turn to be sent alone."""
        return sum(len(topic.waiting) for topic in self.values())

    @property
    def held(self) -> tuple[str, ...]:
        """The names of held topics, whether due or not."""
        return tuple(sorted(topic.name for topic in self.values() if topic.is_held))

    @property
    def limits(self) -> dict[str, int]:
        """Most rows that a batch may take, for topics that do not take all: 0 for a topic that backs off."""
        return {topic.name: topic.limit for topic in self.values() if topic.state is not TopicState.OPEN}

    def hold_silent(self) -> None:
        """Hold topics that have lacked reports for long while others had some."""
        heard = max((topic.heard for topic in self.values()), default=0.0)
        for topic in self.values():
            if topic.is_newly_silent(heard):
                topic.hold(unheard(), silent=True)
