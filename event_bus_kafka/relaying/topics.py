"""The state of each topic of a relay: whether it accepts records, and how many of its rows have to be confirmed."""

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
"""Backoff of a topic: seconds of the first hold, factor for each further hold, and maximum seconds."""
_FIRST_OF_SILENT = 5.0
"""
Seconds from the hold of a silent topic to its first try. The time is longer than for other held topics, because each
try of a silent topic makes the other topics wait.
"""
_PATIENCE, _MORE_PATIENCE = 2.0, 0.1
"""
Seconds for which a topic may be silent before it is held. If the topic was held before, the share ``_MORE_PATIENCE`` of
its last backoff is added, because the topic may only be slow.
"""
_FORGOTTEN = 100
"""
A tried topic is open again after this number of batches without a row of the topic. Only batches that took all waiting
rows count.
"""
TRIED_ROWS = 10
"""Maximum number of rows per batch that are sent to try a topic after a hold."""
ALONE_ROWS = 300
"""Maximum number of rows per batch that are sent one by one to find the rows that Kafka refuses."""


class TopicState(Enum):
    """The states of a topic, as a relay sees the topic."""

    OPEN = "accepts records"
    TRIED = "is tried: its rows are sent one by one"
    BACKING_OFF = "gets no records until its backoff ends"


class Topic:
    """
    The state of one topic.

    A topic is open until Kafka refuses a request with its rows, or a row cannot be sent or removed for another reason.
    After that, the topic is held, or its rows are sent one by one. Each hold is longer than the hold before, up to
    ``_LONGEST`` seconds. Rows are sent one by one because Kafka refuses a request as a whole, whichever of its rows is
    wrong. After a hold, rows are sent one by one, too.
    """

    def __init__(self, name: str, clock: Callable[[], float]) -> None:
        self.name = name
        self.state = TopicState.OPEN
        self.refusals = Refusals()
        self._clock = clock
        self._due = 0.0
        """Time at which the backoff ends and the topic is tried."""
        self._batches = 0
        """
        Number of batches since the last batch with a row of this topic. Only batches that took all waiting rows count.
        """
        self._delay = 0.0
        """The last backoff in seconds; 0: the topic is not held."""
        self.held_since = 0.0
        """Time of the first hold since the topic was last open; valid while the topic is held."""
        self.held_because = ""
        """The reason of the last hold."""
        self._last_alone = 0
        """Id of the last row that has to be sent alone."""
        self.begin_batch()

    def begin_batch(self, *, saw_all: bool = True) -> None:
        """
        Reset the state of the last batch. If the topic's backoff is over, try the topic. If the topic is tried, but no
        row of it came for a long time, open it (see ``_FORGOTTEN``). ``saw_all``: whether the last batch took all
        waiting rows.
        """
        if self.state is TopicState.BACKING_OFF and self._clock() >= self._due:
            self.state, self._batches = TopicState.TRIED, 0
        elif self.state is TopicState.TRIED:
            self._batches += saw_all
            if self._batches > _FORGOTTEN:
                self.refusals.end()
                self._open()
        self.takes_rows = self.state is not TopicState.BACKING_OFF
        """Whether this batch may send more rows of the topic."""
        self.waiting: deque[tuple[Row, ProducerRecord]] = deque()
        """Rows that wait to be sent one by one."""
        self.unreported = 0
        """Number of records in flight."""
        self.is_silent = False
        self.heard = self._quiet_since = 0.0
        """``heard``: time of the last delivery report. ``_quiet_since``: time since which records lack reports."""
        self.tries = ALONE_ROWS if self._last_alone else TRIED_ROWS
        """Number of further rows that this batch may send one by one."""
        self.refusals.undecided.clear()
        self._keys: set[bytes] = set()
        """The keys of the rows that this batch sends one by one."""
        self._reached = self._left = 0
        self._has_taken = False

    @property
    def is_open(self) -> bool:
        """Whether the topic's rows are sent in the usual way, many per request."""
        return self.state is TopicState.OPEN and self.takes_rows

    @property
    def is_held(self) -> bool:
        """Whether the topic was held and is not open again. True also while it is tried after its backoff."""
        return self._delay > 0

    @property
    def awaited(self) -> int:
        """
        Number of rows that a batch waits for: in flight, or still to be sent one by one. 0 for a silent topic, which
        lacks delivery reports while other topics get them.
        """
        return 0 if self.is_silent else self.unreported + len(self.waiting)

    @property
    def limit(self) -> int:
        """
        Maximum number of the topic's rows in each shard that a batch may plan. While the topic counts as the cause of
        refusals, the batch plans more rows than it tries, to find rows of several keys.
        """
        if self.state is TopicState.BACKING_OFF:
            return 0
        return ALONE_ROWS if self.refusals.are_of_the_topic else self.tries

    def line_up(self, row: Row, record: ProducerRecord) -> None:
        """Queue a row to be sent alone, if this batch may send it."""
        self._batches, self._reached = 0, row.id
        if self._last_alone and row.id > self._last_alone:
            self.takes_rows = False
        elif not (self.refusals.are_of_the_topic and row.key in self._keys):  # then one row of each key
            self._keys.add(row.key)
            self.waiting.append((row, record))
            self.tries -= 1
            self.takes_rows = self.tries > 0

    def next_alone(self) -> tuple[Row, ProducerRecord] | None:
        """Return the next row to send alone. None: no row waits, or a row of the topic is in flight."""
        return self.waiting.popleft() if self.waiting and not self.unreported else None

    def leave(self, row: Row) -> None:
        """
        Note that ``row`` waits for an earlier row of its key. If the request with the earlier row is refused, ``row``
        is sent alone, too.
        """
        self._left = row.id

    def sent(self, count: int = 1) -> None:
        """Note that ``count`` records were handed to a client."""
        if not self.unreported:
            self._quiet_since = self._clock()
        self.unreported += count

    def reported(self) -> None:
        self.unreported -= 1
        self.heard = self._quiet_since = self._clock()

    def taken(self) -> list[tuple[Row, BrokerError]]:
        """
        Note that Kafka has accepted a row of the topic. Return the rows that Kafka refused earlier in this batch.

        Since the topic accepts rows, the returned rows caused their refusals, and not the topic.
        """
        self._has_taken = True
        return self.refusals.end()

    def refused(self, row: Row, error: BrokerError) -> None:
        """Note that Kafka has refused a row that was sent alone."""
        self.refusals.add(row, error)
        if self._last_alone and self.refusals.are_of_the_topic:
            self.stop()

    def hold(self, error: Exception, *, silent: bool = False) -> None:
        """
        Hold the topic, unless it backs off already. Each hold is longer than the hold before, up to a maximum.
        ``silent``: whether the reason is a lack of delivery reports.
        """
        self.stop()
        self._last_alone = 0
        if self.state is TopicState.BACKING_OFF:
            return  # held already because of another row
        if not self.is_held:
            self.held_since = self._clock()
        self.held_because = database_error_text(error)
        first = _FIRST_OF_SILENT if silent else _FIRST
        self._delay = min(self._delay * _FACTOR, _LONGEST) if self._delay else first
        self.state, self._due = TopicState.BACKING_OFF, self._clock() + self._delay
        emit(TopicHeld(topic=self.name, error=error, delay=self._delay))

    def send_alone(self, row: Row) -> None:
        """
        Send no more rows of the topic in this batch. In the next batches, send one by one the rows up to ``row``, and
        up to the last row that waited for an earlier row of its key.
        """
        self.stop()
        self._last_alone = max(self._last_alone, row.id, self._left)
        if self.state is TopicState.OPEN:
            self.state, self._batches = TopicState.TRIED, 0

    def stop(self) -> None:
        """Send no more rows of the topic in this batch, not even the queued ones."""
        self.takes_rows = False
        self._reached = 0
        self.waiting.clear()

    def end_batch(self) -> tuple[list[tuple[Row, BrokerError]], list[int]]:
        """
        Return the rows to park, and the ids of parked rows to put back into the outbox. If the topic is tried, hold it
        again if it counts as the cause of refusals. Otherwise open it if all rows that had to be sent alone were sent
        or, if there were no such rows, if Kafka has accepted a row. It stays tried while rows are in flight.
        """
        if self.state is TopicState.TRIED:
            self._judge()
        return self.refusals.decide()

    def is_newly_silent(self, others_heard: float) -> bool:
        """
        Return whether the topic is silent now and was not silent before in this batch. A topic is silent if its records
        have lacked reports for a long time while other topics got reports.

        ``others_heard``: time of the last report of any topic. If no topic gets a report, Kafka itself is away.
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
        elif self._reached >= self._last_alone if self._last_alone else self._has_taken:
            self._open()

    def _open(self) -> None:
        was_held, self._delay, self._last_alone = self.is_held, 0.0, 0
        self.state = TopicState.OPEN
        if was_held:
            emit(TopicResumed(topic=self.name))


class Topics(dict[str, Topic]):
    """All topics of which the relay has read rows, by name; access to a new name adds the topic."""

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
        """Number of rows that a batch waits for: rows in flight or still to be sent, without silent topics."""
        return sum(topic.awaited for topic in self.values())

    @property
    def lined_up(self) -> int:
        """Number of rows that are still to be sent one by one."""
        return sum(len(topic.waiting) for topic in self.values())

    @property
    def held(self) -> tuple[str, ...]:
        """The names of held topics, including topics whose backoff is over."""
        return tuple(sorted(topic.name for topic in self.values() if topic.is_held))

    @property
    def limits(self) -> dict[str, int]:
        """
        Topic → maximum number of its rows in each shard that a batch may plan. Only topics that are not open are
        included. The number is 0 while a topic backs off.
        """
        return {topic.name: topic.limit for topic in self.values() if topic.state is not TopicState.OPEN}

    def hold_silent(self) -> None:
        """Hold topics that have lacked delivery reports for a long time while other topics got reports."""
        heard = max((topic.heard for topic in self.values()), default=0.0)
        for topic in self.values():
            if topic.is_newly_silent(heard):
                topic.hold(unheard(), silent=True)
