"""One batch of a relay: rows go to Kafka, and what became of each is known at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from time import monotonic

from event_bus_kafka.errors import BrokerError, DeliveryFailed, SchemaRegistryError
from event_bus_kafka.kafka import error_codes
from event_bus_kafka.kafka.error_codes import RowOutcome, row_outcome
from event_bus_kafka.kafka.producer import Delivered, Producer, QueueFull
from event_bus_kafka.relaying.claims import Row
from event_bus_kafka.relaying.framing import Frames
from event_bus_kafka.relaying.in_flight import InFlight
from event_bus_kafka.relaying.topic_backoff import TopicBackoff
from event_bus_kafka.telemetry import counters, emit, is_wanted
from event_bus_kafka.telemetry.events import RecordDelivered, RowParked

_LONGER = 5.0
"""Seconds that a batch may take longer for rows that are sent again; what is not sent then stays in the outbox."""
_ALONE = 1.0
"""Seconds that a row may take which is sent again by itself."""
_TRIED = 10
"""Rows with which a topic is tried that was held."""


class Batch:
    """
    Rows in flight. Every row is confirmed, or ``rejected``, or stays in the outbox; ``trouble`` is what makes a new
    client necessary.
    """

    def __init__(self, producer: Producer, frames: Frames, backoff: TopicBackoff) -> None:
        self._producer = producer
        self._frames = frames
        self._backoff = backoff
        self._in_flight = InFlight()
        self._tries = dict.fromkeys(backoff.topics(), _TRIED)
        self._too_large: list[Row] = []
        self._confirmed: list[Row] = []
        """Rows that Kafka has and nobody took yet: with their bodies, so that there must never be many of them."""
        self._positions: list[tuple[str, int, int]] | None = [] if is_wanted(RecordDelivered) else None
        """Of each of these, if anybody wants to know."""
        self._delivered: list[RecordDelivered] = []
        """Of those that were taken, likewise; and their topics and schemas."""
        self._topics: set[str] = set()
        self._schemas: Counter[int] = Counter()
        self._held: set[str] = set()
        self._passed: set[str] = set()
        """Topics of which no more rows are sent."""
        self._parked_keys: set[tuple[str, bytes]] = set()
        self.narrow: set[str] = set()
        """Topics that take smaller requests than the client makes."""
        self.rejected: list[tuple[Row, BrokerError]] = []
        self.unconfirmed = 0
        """How many rows were given up without a report."""
        self.trouble: Exception | None = None

    @property
    def sent(self) -> int:
        """How many rows Kafka has."""
        return self._schemas.total() + len(self._confirmed)

    def take_confirmed(self) -> list[int]:
        """Return ids of the rows that Kafka has, each once."""
        rows, self._confirmed = self._confirmed, []
        self._schemas.update([row.schema for row in rows])
        self._topics.update([row.topic for row in rows])
        if self._positions is not None:
            self._delivered += map(self._delivery, rows, self._positions)
            self._positions.clear()
        return [row.id for row in rows]

    def send(self, rows: Iterable[Row], deadline: float, *, parked_holds_key: bool) -> None:
        """Hand rows to the client, in order, until the deadline or the first trouble."""
        for row in rows:
            if self.trouble is not None or monotonic() > deadline:
                return
            if row.topic in self._passed or (parked_holds_key and (row.topic, row.key) in self._parked_keys):
                continue
            self._send(row, deadline)

    def collect(self, down_to: int, deadline: float) -> None:
        """
        Take delivery reports until so few are awaited, until the deadline at most. Where all are, nothing is to linger.
        """
        take = self._producer.poll if down_to else self._producer.poll_without_linger
        while self._in_flight.awaited > down_to and (left := deadline - monotonic()) > 0 and self.trouble is None:
            take(min(left, 0.1))
            if not len(self._producer) and self._in_flight.awaited:
                self.stop(_unheard())  # a fatal error may cost reports
            for topic in self._in_flight.newly_silent(self._backoff.patience):
                self._hold(topic, _unheard(), silent=True)

    def finish(self, deadline: float) -> None:
        """Take all reports there are until the deadline; give up the rest, and send alone what was too large."""
        self.collect(0, deadline)
        if len(self._in_flight):
            self.trouble = self.trouble or _unheard()
            self.give_up()
        while self._too_large and self.trouble is None and monotonic() < deadline + _LONGER:
            self._send_alone(self._too_large.pop(0))

    def stop(self, error: BaseException | None) -> None:
        """Send and await no more, if something else failed."""
        if isinstance(error, Exception):
            self.trouble = self.trouble or error

    def give_up(self) -> None:
        """Let the client forget what is not confirmed."""
        if waiting := len(self._in_flight):
            self.unconfirmed += waiting
            self._producer.purge()

    def tell(self) -> None:
        """Emit what became of the rows, once that is settled and all that are confirmed were taken."""
        if self._positions is None:
            for schema, count in self._schemas.items():
                counters.add(RecordDelivered, self._frames.event_type(schema), count)
        for delivered in self._delivered:
            emit(delivered)
        for topic in self._topics - self._held:
            self._backoff.release(topic)
        for row, error in self.rejected:
            emit(
                RowParked(
                    row=row.id,
                    topic=row.topic,
                    event_type=self._frames.event_type(row.schema),
                    event_id=row.event_id,
                    error=error,
                    code=error.code,
                )
            )

    def _delivery(self, row: Row, position: tuple[str, int, int]) -> RecordDelivered:
        topic, partition, offset = position
        return RecordDelivered(
            topic=topic,
            partition=partition,
            offset=offset,
            event_type=self._frames.event_type(row.schema),
            event_id=row.event_id,
        )

    def _send(self, row: Row, deadline: float) -> None:
        try:
            record = self._frames.record(row)
        except SchemaRegistryError as error:
            self._hold(row.topic, error)
            return
        except BrokerError as error:
            self._reject(row, error)
            return
        while True:
            try:
                self._producer.produce(record, self._reported, row)
                self._in_flight.begin(row.topic)
                self._count_try(row.topic)
                return
            except QueueFull as error:
                if monotonic() > deadline:
                    self.trouble = error
                    return
                self._producer.poll(0.05)
            except DeliveryFailed as error:
                self._judge(row, error)
                return

    def _reported(self, row: Row, report: Delivered | DeliveryFailed) -> None:
        self._in_flight.end(row.topic)
        if isinstance(report, Delivered):
            self._confirmed.append(row)
            if self._positions is not None:
                self._positions.append((report.topic, report.partition, report.offset))
        elif report.code == error_codes.MSG_SIZE_TOO_LARGE:
            self.narrow.add(row.topic)
            self._too_large.append(row)  # it, or what shared its request
            self._passed.add(row.topic)  # until its rows were sent again
        else:
            self._judge(row, report)

    def _judge(self, row: Row, error: DeliveryFailed) -> None:
        outcome = row_outcome(error)
        if outcome is RowOutcome.PARK:
            self._reject(row, error)
        elif outcome is RowOutcome.HOLD_TOPIC:
            self._hold(row.topic, error)
        if outcome is RowOutcome.BEGIN_ANEW or error.fatal:
            self.trouble = self.trouble or error

    def _send_alone(self, row: Row) -> None:
        deadline = monotonic() + _ALONE
        self._send(row, deadline)
        self.collect(0, deadline)
        if self._too_large and self._too_large[-1] is row:
            self._too_large.pop()
            self._reject(
                row, DeliveryFailed(error_codes.MSG_SIZE_TOO_LARGE, "larger than the topic or the broker takes")
            )
        self.give_up()

    def _reject(self, row: Row, error: BrokerError) -> None:
        self.rejected.append((row, error))
        self._parked_keys.add((row.topic, row.key))

    def _hold(self, topic: str, error: Exception, *, silent: bool = False) -> None:
        self._held.add(topic)
        self._passed.add(topic)
        self._backoff.hold(topic, error, silent=silent)

    def _count_try(self, topic: str) -> None:
        if topic in self._tries:
            self._tries[topic] -= 1
            if not self._tries[topic]:
                self._passed.add(topic)


def _unheard() -> DeliveryFailed:
    return DeliveryFailed(error_codes.TIMED_OUT, "Kafka did not confirm all records in time", retriable=True)
