"""One batch of a relay: hands rows to the Kafka clients and learns whether Kafka confirmed or refused each row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic
from typing import Any

from event_bus_kafka.errors import BrokerError, ClaimLost, DeliveryFailed, SchemaRegistryError
from event_bus_kafka.kafka.error_codes import RowOutcome, meaning_of, row_outcome
from event_bus_kafka.kafka.producer import Producer, QueueFull, delivery_failure, reach, unheard
from event_bus_kafka.relaying.claims import Row
from event_bus_kafka.relaying.clients import Clients
from event_bus_kafka.relaying.framing import Deliveries, Frames
from event_bus_kafka.relaying.settlement import MOST_PARKED, MOST_TWICE, Ledger
from event_bus_kafka.relaying.timing import BATCH_TIME, CONFIRMED_WITHIN, WATCHED
from event_bus_kafka.relaying.topics import Topic, Topics, TopicState
from event_bus_kafka.wire.records import ProducerRecord

_ALONE_AT_LAST = 0.5
"""Maximum seconds for which rows are still sent one by one after all other rows of the batch were handed over."""
_FIRSTS_WITHIN = 1.0
"""Maximum seconds per batch for which rows wait until the first row of their key is confirmed."""
_AWAITED, _AWAITED_BY_TURNS = 0.1, 0.005
"""Maximum seconds of one wait for a delivery report: with one client, and with two clients that are polled in turn."""


class Batch:
    """
    Sends the rows of one batch. At its end each sent row is confirmed, to be parked, or left in the outbox.

    ``parked_holds_key``: if True, a row that is to be parked keeps later rows of its key in the outbox. ``trouble``:
    the error that interrupts the relay; None: there is none. A refusal that concerns only one topic is not ``trouble``.
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
        self._unreported: Counter[Producer] = Counter()
        """Client → number of rows that were handed to the client and have no delivery report yet."""
        self._broken: DeliveryFailed | None = None
        """The error after which the common client gets no more rows; None: there is none."""
        self._is_refused = False
        """Whether a row or topic made Kafka refuse a request; the client's fatal error is then no ``trouble``."""
        self._is_given_up = False
        self.deadline = monotonic() + BATCH_TIME
        self._alone_deadline = float("inf")
        """Monotonic time after which no more rows are sent one by one."""
        self.looked = 0.0
        """Seconds that the search for waiting rows took."""
        self.ledger = Ledger()
        self._deliveries = Deliveries(frames)
        self._firsts: set[tuple[str, bytes]] = set()
        """Topics and keys of rows in flight that may go to an unreached partition; later rows of these keys wait."""
        self._firsts_until = float("inf")
        self._ended_keys: set[tuple[str, bytes]] = set()
        """Topics and keys that get no more rows: one was late or, with ``parked_holds_key``, is to be parked."""
        self.put_back: list[int] = []
        """Ids of parked rows to move back into the outbox."""
        self.unconfirmed = 0
        """Number of rows that were given up without a delivery report."""
        self.trouble: Exception | None = None

    @property
    def goes_on(self) -> bool:
        """Whether the batch may send more rows."""
        return self.trouble is None and self._broken is None and len(self.ledger.refused) < MOST_PARKED

    def has_room_for(self, count: int) -> bool:
        """
        Return whether ``count`` more rows may be sent before confirmed rows are removed. At most ``MOST_TWICE`` rows
        may be sent and not removed, because these rows may be sent twice if the process is killed.
        """
        return self.ledger.unsettled + self._topics.lined_up + count <= MOST_TWICE

    def take_confirmed(self) -> list[Row]:
        """Return confirmed rows that no earlier call returned; the caller removes them from the outbox."""
        rows = self.ledger.begin_removal()
        self._deliveries.take(rows)
        return rows

    def send(self, rows: Sequence[Row]) -> None:
        """Hand rows to the clients, in order for each key. Stop at the deadline, or if :attr:`goes_on` is False."""
        assert self.has_room_for(len(rows))
        if left := self._send_all(rows[self._send_usual(rows) :]):
            self._await_firsts()
            self._ended_keys.update((row.topic, row.key) for row in self._send_all(left))

    def collect(self, down_to: int) -> None:
        """
        Poll for delivery reports until the batch waits for at most ``down_to`` rows; stop at deadline or ``trouble``.

        With ``down_to`` 0, the common client sends at once instead of waiting for more records.
        """
        if not down_to:
            self._alone_deadline = min(self._alone_deadline, monotonic() + _ALONE_AT_LAST)
        while self._topics.awaited > down_to and (left := self.deadline - monotonic()) > 0 and self.trouble is None:
            self._poll(left, lingers=bool(down_to))
            self.watch_claim()
            self._topics.hold_silent()

    def finish(self) -> None:
        """
        Poll for delivery reports, at most until the deadline. Give up rows without a report; decide which rows to park.
        """
        self.collect(0)
        if not self._is_refused:
            self.stop(self._broken or self._clients.common.failure)
        if self._unreported.get(self._clients.common):
            self.stop(unheard())
        self.give_up()
        for topic in self._topics.values():
            refused, put_back = topic.end_batch()
            self.ledger.refuse(refused)
            self.put_back += put_back

    def stop(self, error: BaseException | None) -> None:
        """Stop sending rows and waiting for reports because of ``error``, if it is an :class:`Exception`."""
        if isinstance(error, Exception):
            self.trouble = self.trouble or error

    def give_up(self) -> None:
        """Purge unconfirmed records from the clients at once. Only the first call has an effect."""
        if not self._is_given_up:
            self._is_given_up = True
            self.unconfirmed += self.ledger.in_flight
            for client in +self._unreported:
                client.purge()

    def watch_claim(self) -> None:
        """Give up at once if the claim has ended, because another relay may be sending the same rows."""
        now = monotonic()
        if now >= self._watched + WATCHED:
            self._watched = now
            if not self._is_claimed():
                self.stop(ClaimLost())
                self.give_up()

    def tell(self) -> None:
        """Count and report confirmed and parked rows. Call this method after the batch has been settled."""
        self._deliveries.tell(self.ledger.parked)

    def _send_usual(self, rows: Sequence[Row]) -> int:
        """Send rows up to the first that needs special care (see :meth:`Clients.hand_over`); return their number."""
        if not self.goes_on or self._firsts or self._ended_keys:
            return 0
        sent = self._clients.hand_over(rows, self._frames, self._topics, self.deadline, self._reported)
        for name, count in sent.items():
            self._topics[name].sent(count)
        self.ledger.begin(sent.total())
        self._unreported[self._clients.common] += sent.total()
        return sent.total()

    def _send_all(self, rows: Sequence[Row]) -> list[Row]:
        """Send rows; return the rows that have to wait for the first row of their key."""
        left: list[Row] = []
        for row in rows:
            if not self.goes_on or monotonic() > self.deadline:
                break
            topic, key = self._topics[row.topic], (row.topic, row.key)
            if not topic.takes_rows or key in self._ended_keys:
                continue
            if key in self._firsts:
                topic.leave(row)
                left.append(row)
            else:
                self._send(row, topic)
        return left

    def _await_firsts(self) -> None:
        """Wait for all reports of the common client, at most ``_FIRSTS_WITHIN`` seconds: a topic may be silent."""
        self._firsts_until = min(self._firsts_until, monotonic() + _FIRSTS_WITHIN)
        while self.goes_on and self._unreported.get(self._clients.common) and monotonic() < self._firsts_until:
            self._poll(self._firsts_until - monotonic(), lingers=False)
            self.watch_claim()
        self._firsts = {first for first in self._firsts if self._clients.unreached.may_have(*first)}

    def _send(self, row: Row, topic: Topic) -> None:
        try:
            record = self._frames.record(row)  # also reads the event type, with which a parked row is reported
            self._clients.measure(record)
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
        """Send the topic's next waiting row alone if time is left. If this row is not sent, try the row after it."""
        while self.trouble is None and not self._is_given_up and (alone := topic.next_alone()):
            row, record = alone
            if monotonic() > min(self.deadline - CONFIRMED_WITHIN, self._alone_deadline):
                topic.stop()
            elif (row.topic, row.key) not in self._ended_keys:
                self._produce(self._clients.alone, row, record, topic)

    def _produce(self, client: Producer, row: Row, record: ProducerRecord, topic: Topic) -> None:
        while not self._is_given_up:
            try:
                client.enqueue(record, partial(self._reported, row, topic, client))
            except QueueFull as error:
                if monotonic() > self.deadline:
                    self.stop(error)
                    return
                client.poll(WATCHED)
                self.watch_claim()
            except DeliveryFailed as error:
                self._refused(row, topic, client, error)  # the client refused this row alone
                return
            else:
                topic.sent()
                self.ledger.begin()
                self._unreported[client] += 1
                if client is self._clients.common and self._clients.unreached.may_have(row.topic, row.key):
                    self._firsts.add((row.topic, row.key))
                return

    def _reported(self, row: Row, topic: Topic, client: Producer, error: Any, message: Any) -> None:
        """Handle the delivery report of ``row``. ``error`` is None if Kafka confirmed the record."""
        topic.reported()
        self._unreported[client] -= 1
        alone = client is not self._clients.common
        if error is None:
            if reach.is_lost:
                reach.regain()
            self.ledger.confirm(row)
            self._deliveries.confirm(message)
            if self._firsts and not alone and (row.topic, row.key) in self._firsts:
                self._clients.unreached.reach(row.topic, row.key, message.partition())
            if alone or topic.refusals:
                self.ledger.refuse(topic.taken())
        else:
            self.ledger.take_back()
            if alone:
                self._refused(row, topic, client, delivery_failure(error))
            else:
                self._request_refused(row, topic, delivery_failure(error))
        if alone:
            self._send_next(topic)

    def _request_refused(self, row: Row, topic: Topic, error: DeliveryFailed) -> None:
        """Handle the failed delivery of a row that the common client sent."""
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
        """Handle the failed delivery of a row that was sent alone, or that ``client`` refused to send."""
        match row_outcome(error):
            case RowOutcome.PARK if meaning_of(error.code).of_the_row:
                self._reject(row, error)
            case RowOutcome.PARK:
                if self._parked_holds_key:
                    self._ended_keys.add((row.topic, row.key))
                topic.refused(row, error)
            case RowOutcome.BEGIN_ANEW if client is self._clients.common:
                self._broken = self._broken or error
            case RowOutcome.BEGIN_ANEW if client.failure is not None:
                topic.stop()  # a row of another topic caused the fatal error
            case _:
                topic.hold(error)

    def _reject(self, row: Row, error: BrokerError) -> None:
        if self._parked_holds_key:
            self._ended_keys.add((row.topic, row.key))
        self.ledger.refuse([(row, error)])

    def _poll(self, seconds: float, *, lingers: bool) -> None:
        owing = list(+self._unreported)
        wait = min(seconds, _AWAITED if len(owing) == 1 else _AWAITED_BY_TURNS)
        for client in owing:
            take = client.poll if lingers or client is not self._clients.common else client.poll_without_linger
            take(wait)
            if self._unreported[client] and not len(client):
                self.stop(client.failure or unheard())  # a fatal error may lose reports
