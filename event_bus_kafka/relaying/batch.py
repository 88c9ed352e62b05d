"""One batch of a relay: rows go to Kafka, and what became of each is known at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from time import monotonic

from event_bus_kafka.errors import BrokerError, ClaimLost, DeliveryFailed, SchemaRegistryError
from event_bus_kafka.kafka import error_codes
from event_bus_kafka.kafka.error_codes import RowOutcome, meaning_of, row_outcome
from event_bus_kafka.kafka.producer import Delivered, Producer, QueueFull
from event_bus_kafka.relaying.claims import Row
from event_bus_kafka.relaying.clients import Clients
from event_bus_kafka.relaying.framing import Frames
from event_bus_kafka.relaying.settlement import MOST_PARKED, MOST_TWICE, Ledger
from event_bus_kafka.relaying.timing import BATCH_TIME, CONFIRMED_WITHIN
from event_bus_kafka.relaying.topics import Topic, Topics, TopicState
from event_bus_kafka.telemetry import counters, emit, is_wanted
from event_bus_kafka.telemetry.events import RecordDelivered, RowParked
from event_bus_kafka.wire.records import ProducerRecord

WATCHED = 0.05
"""Seconds between two looks whether the claim still holds."""
_ALONE_AT_LAST = 0.5
"""Seconds for rows that go one by one once all rows are handed over: those of the next batch wait."""
_AWAITED, _AWAITED_BY_TURNS = 0.1, 0.005
"""Seconds to wait for a report: of one client, or of two."""


class Batch:
    """
    Rows in flight. Every row is confirmed, or refused, or stays in the outbox; ``trouble`` is what interrupts the
    relay. That a topic refuses its rows is no trouble: the batch ends, and the next one goes without it.
    """

    def __init__(
        self,
        clients: Clients,
        frames: Frames,
        topics: Topics,
        *,
        parked_holds_key: bool = False,
        is_claimed: Callable[[], bool] = lambda: True,
    ) -> None:
        self._clients = clients
        self._frames = frames
        self._topics = topics
        self._parked_holds_key = parked_holds_key
        self._is_claimed = is_claimed
        self._watched = 0.0
        self._unreported: dict[Producer, int] = {}
        """The clients that were given rows, and how many of these lack a report."""
        self._broken: DeliveryFailed | None = None
        """What a client said that takes no more rows."""
        self._is_refused = False
        """Whether that is because a topic has refused a request."""
        self._is_given_up = False
        self.deadline = monotonic() + BATCH_TIME
        self._alone_until = float("inf")
        """When no more rows are sent one by one."""
        self.looked = 0.0
        """How many seconds it took to see what waits."""
        self.ledger = Ledger()
        self._positions: list[tuple[str, int, int]] | None = [] if is_wanted(RecordDelivered) else None
        """Of each row that is confirmed, if anybody wants to know."""
        self._delivered: list[RecordDelivered] = []
        """Of those whose removal began, likewise; and their schemas."""
        self._schemas: Counter[int] = Counter()
        self._parked_keys: set[tuple[str, bytes]] = set()
        self.put_back: list[int] = []
        """Ids of rows that were parked before, and go back into the outbox."""
        self.unconfirmed = 0
        """How many rows were given up without a report."""
        self.trouble: Exception | None = None

    @property
    def goes_on(self) -> bool:
        """Whether more rows may be sent."""
        return self.trouble is None and self._broken is None and len(self.ledger.refused) < MOST_PARKED

    def has_room_for(self, count: int) -> bool:
        """Whether so many more rows may be sent before others are removed, lest too many come twice after a kill."""
        lined_up = sum(len(topic.waiting) for topic in self._topics)
        return self.ledger.unsettled + lined_up + count <= MOST_TWICE

    def take_confirmed(self) -> list[Row]:
        """Return the rows that Kafka has, each once: their removal begins."""
        rows = self.ledger.begin_removal()
        self._schemas.update([row.schema for row in rows])
        if self._positions is not None:
            self._delivered += map(self._delivery, rows, self._positions)
            self._positions.clear()
        return rows

    def send(self, rows: Sequence[Row]) -> None:
        """Hand rows to a client, in order, until the deadline or the first trouble. There must be room for them."""
        assert self.has_room_for(len(rows))
        for row in rows:
            if not self.goes_on or monotonic() > self.deadline:
                return
            topic = self._topics[row.topic]
            if topic.takes_rows and not self._waits_for_parked(row):
                self._send(row, topic)

    def collect(self, down_to: int) -> None:
        """Take reports until so few are awaited, until the deadline at most. Where all are, nothing is to linger."""
        if not down_to:
            self._alone_until = min(self._alone_until, monotonic() + _ALONE_AT_LAST)
        while self._awaited > down_to and (left := self.deadline - monotonic()) > 0 and self.trouble is None:
            self._poll(left, lingers=bool(down_to))
            self.watch_claim()
            for topic in self._topics.newly_silent():
                topic.hold(_unheard(), silent=True)

    def finish(self) -> None:
        """Take all reports there are until the deadline; give up the rest."""
        self.collect(0)
        failure = self._broken or self._clients.common.failure
        if failure is not None and not self._is_refused:
            self.stop(failure)
        if self._unreported.get(self._clients.common):
            self.stop(_unheard())
        self.give_up()
        for topic in self._topics:
            refused, put_back = topic.end_batch()
            self.ledger.refuse(refused)
            self.put_back += put_back

    def stop(self, error: BaseException | None) -> None:
        """Send and await no more, if something else failed."""
        if isinstance(error, Exception):
            self.trouble = self.trouble or error

    def give_up(self) -> None:
        """Let the clients forget what is not confirmed, at once."""
        if self._is_given_up:
            return
        self.unconfirmed += self.ledger.in_flight
        self._is_given_up = True
        for client, unreported in self._unreported.items():
            if unreported:
                client.purge()

    def watch_claim(self) -> None:
        """Give up at once if the claim has ended: others send the rows by now."""
        now = monotonic()
        if now >= self._watched + WATCHED:
            self._watched = now
            if not self._is_claimed():
                self.stop(ClaimLost())
                self.give_up()

    def tell(self) -> None:
        """Emit what became of the rows, once that is settled and all that are confirmed were taken."""
        if self._positions is None:
            for schema, count in self._schemas.items():
                counters.add(RecordDelivered, self._frames.event_type(schema), count)
        for delivered in self._delivered:
            emit(delivered)
        for row, error in self.ledger.parked:
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

    @property
    def _awaited(self) -> int:
        return sum(topic.awaited for topic in self._topics)

    def _waits_for_parked(self, row: Row) -> bool:
        return self._parked_holds_key and (row.topic, row.key) in self._parked_keys

    def _delivery(self, row: Row, position: tuple[str, int, int]) -> RecordDelivered:
        topic, partition, offset = position
        return RecordDelivered(
            topic=topic,
            partition=partition,
            offset=offset,
            event_type=self._frames.event_type(row.schema),
            event_id=row.event_id,
        )

    def _send(self, row: Row, topic: Topic) -> None:
        try:
            record = self._frames.record(row)  # first, so that its type is known if it is parked
            self._clients.measure(row.topic, row.size)
        except SchemaRegistryError as error:
            topic.hold(error)
        except BrokerError as error:
            self._reject(row, error)
        else:
            if topic.state is TopicState.TRIED:
                topic.line_up(row, record)
                self._send_next(topic)
            else:
                self._produce(self._clients.common, row, record, topic)

    def _send_next(self, topic: Topic) -> None:
        """Send rows that go by themselves until one is in flight."""
        while self.trouble is None and not self._is_given_up and (alone := topic.next_alone()):
            row, record = alone
            if monotonic() > min(self.deadline - CONFIRMED_WITHIN, self._alone_until):
                topic.stop()
            elif not self._waits_for_parked(row):
                self._produce(self._clients.alone, row, record, topic)

    def _produce(self, client: Producer, row: Row, record: ProducerRecord, topic: Topic) -> None:
        while not self._is_given_up:
            try:
                client.produce(record, self._reported, row, topic, client)
            except QueueFull as error:
                if monotonic() > self.deadline:
                    self.stop(error)
                    return
                client.poll(WATCHED)
                self.watch_claim()
            except DeliveryFailed as error:
                self._refused(row, topic, client, error)  # by the client, which tells of this row
                return
            else:
                topic.sent()
                self.ledger.begin()
                self._unreported[client] = self._unreported.get(client, 0) + 1
                return

    def _reported(self, row: Row, topic: Topic, client: Producer, report: Delivered | DeliveryFailed) -> None:
        topic.reported()
        self._unreported[client] -= 1
        alone = client is not self._clients.common
        if isinstance(report, Delivered):
            self._confirm(row, report)
            if alone or topic.refusals:
                self.ledger.refuse(topic.taken())
        else:
            self.ledger.take_back()
            if alone:
                self._refused(row, topic, client, report)
            else:
                self._request_refused(row, topic, report)
        if alone:
            self._send_next(topic)

    def _confirm(self, row: Row, report: Delivered) -> None:
        self.ledger.confirm(row)
        if self._positions is not None:
            self._positions.append((report.topic, report.partition, report.offset))

    def _request_refused(self, row: Row, topic: Topic, error: DeliveryFailed) -> None:
        """A request with this row was refused: the common client takes no more."""
        match row_outcome(error):
            case RowOutcome.PARK | RowOutcome.SEND_ALONE:
                topic.send_alone(row)
                self._is_refused = True
            case RowOutcome.HOLD_TOPIC:
                topic.hold(error)
                self._is_refused = True
            case RowOutcome.BEGIN_ANEW:
                self._broken = self._broken or error

    def _refused(self, row: Row, topic: Topic, client: Producer, error: DeliveryFailed) -> None:
        """This row was refused, and not what shares a request with it."""
        match row_outcome(error):
            case RowOutcome.PARK if meaning_of(error.code).of_the_row:
                self._reject(row, error)
            case RowOutcome.PARK:
                self._parked_keys.add((row.topic, row.key))
                topic.refused(row, error)
            case RowOutcome.BEGIN_ANEW if client is self._clients.common:
                self._broken = self._broken or error
            case RowOutcome.BEGIN_ANEW if client.failure is not None:
                topic.stop()  # another topic's row has broken it
            case _:
                topic.hold(error)

    def _reject(self, row: Row, error: BrokerError) -> None:
        self._parked_keys.add((row.topic, row.key))
        self.ledger.refuse([(row, error)])

    def _poll(self, seconds: float, *, lingers: bool) -> None:
        wait = min(seconds, _AWAITED if len(self._unreported) == 1 else _AWAITED_BY_TURNS)
        for client in list(self._unreported):
            take = client.poll if lingers or client is not self._clients.common else client.poll_without_linger
            take(wait)
            if self._unreported[client] and not len(client):
                self.stop(client.failure or _unheard())  # a fatal error may cost reports


def _unheard() -> DeliveryFailed:
    return DeliveryFailed(error_codes.TIMED_OUT, "Kafka did not confirm all records in time", retriable=True)
