"""
The Kafka clients of a relay.

A relay has at most two clients. The common client sends the rows of all open topics. If Kafka refuses a request, the
relay sends the rows of this request again later. If the client sent further rows in the meantime, an old record could
become the last record of its key in Kafka. Therefore the common client has one request in flight per broker, and fails
as a whole after a refusal (``enable.gapless.guarantee``). Then a new common client replaces it. If the settings switch
idempotence off, the common client continues after a refusal, and the order of a key's records is not guaranteed.

The second client sends the rows of topics that are tried, for example after a refusal. If the common client tried these
rows, each refusal would stop it for all topics. The second client sends one row per request, and never two rows of a
topic at a time. Therefore it may continue after a refusal.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from operator import itemgetter
from time import monotonic

import attrs

from event_bus_kafka.errors import BrokerError, DeliveryFailed, SchemaRegistryError
from event_bus_kafka.kafka import error_codes
from event_bus_kafka.kafka.producer import Producer
from event_bus_kafka.kafka.unreached import UnreachedPartitions
from event_bus_kafka.relaying.claims import Row
from event_bus_kafka.relaying.framing import Frames
from event_bus_kafka.relaying.topics import Topic, Topics
from event_bus_kafka.wire.records import ProducerRecord

_CONNECT_WITHIN = 5.0


@attrs.frozen
class Client:
    """A producer, and the limits and partitions of its topics."""

    producer: Producer
    limits: Mapping[str, int] = attrs.field(factory=dict)
    """Topic → maximum bytes of one record."""
    unreached: UnreachedPartitions = attrs.field(factory=lambda: UnreachedPartitions({}))

    def connected(self) -> Client:
        """
        Return this client, connected, with the current partitions of its topics. Raises :class:`BrokerError` if Kafka
        does not answer.
        """
        return attrs.evolve(self, unreached=UnreachedPartitions(self.producer.connect(_CONNECT_WITHIN)))


class Clients:
    """
    The clients of a relay. ``connect``: makes the common client for the given topics. ``connect_alone``: makes the
    client for rows that are sent one by one.
    """

    def __init__(self, connect: Callable[[set[str]], Client], connect_alone: Callable[[], Producer]) -> None:
        self._connect = connect
        self._connect_alone = connect_alone
        self._common: Client | None = None
        self._alone: Producer | None = None

    @property
    def common(self) -> Producer:
        assert self._common is not None
        return self._common.producer

    @property
    def unreached(self) -> UnreachedPartitions:
        """The partitions for which Kafka has not yet confirmed a record of the common client."""
        assert self._common is not None
        return self._common.unreached

    @property
    def alone(self) -> Producer:
        assert self._alone is not None
        return self._alone

    def reach(self, topics: set[str], *, alone: bool) -> None:
        """
        Make and connect the clients that the next batch needs. Call this method before shards are claimed.

        ``alone``: whether the client that sends rows one by one is needed, too. Raises :class:`BrokerError` if Kafka
        does not answer, and :class:`ConfigurationError` if a client refuses its options.
        """
        if self._common is None:
            self._common = self._connect(topics).connected()
        elif self._common.unreached.is_stale:
            self._common = self._common.connected()
        if not alone:
            self._alone = None
        elif self._alone is None:
            producer = self._connect_alone()
            producer.connect(_CONNECT_WITHIN)
            self._alone = producer

    def measure(self, record: ProducerRecord) -> None:
        """
        Raise :class:`DeliveryFailed` if a record is larger than its topic's limit, as far as the limit is known. Kafka
        would refuse the whole request that contains the record.
        """
        size, limit = len(record.key) + len(record.value or b""), self._limit_of(record.topic)
        if size > limit:
            reason = f"{size:,} bytes are more than the {limit:,} that the topic takes"
            raise DeliveryFailed(error_codes.MSG_SIZE_TOO_LARGE, reason)

    def hand_over(
        self, rows: Sequence[Row], frames: Frames, topics: Topics, deadline: float, report: Callable[..., None]
    ) -> Counter[str]:
        """
        Queue rows in the common client, in order. Stop at the deadline, or at the first row that needs special care.
        Return the number of queued rows by topic.

        A row needs special care if it causes an error, if its topic is not open, or if the topic has a partition in
        :attr:`unreached`. ``report``: called for each row with row, topic, client, error and message. It is called only
        while the client is polled, never during this call.
        """
        common, sent = self.common, 0
        usual: dict[str, tuple[Topic, int]] = {}
        """Topic name → the topic, and the maximum bytes of one record."""
        with suppress(SchemaRegistryError, BrokerError):  # raised again when the row is sent with care
            for row in rows:
                known = usual.get(row.topic)
                if known is None:
                    if row.topic not in self.unreached.complete or not topics[row.topic].is_open:
                        break
                    known = usual[row.topic] = topics[row.topic], self._limit_of(row.topic)
                topic, limit = known
                record = frames.record(row)
                _, key, value, _ = record
                if len(key) + len(value or b"") > limit or monotonic() > deadline:
                    break
                common.enqueue(record, partial(report, row, topic, common))
                sent += 1
        return Counter(map(itemgetter(1), rows[:sent]))

    def _limit_of(self, topic: str) -> int:
        """Return the maximum bytes of one record; the largest integer if the limit is not known."""
        return self._common.limits.get(topic, sys.maxsize) if self._common else sys.maxsize

    def drop_failed(self) -> None:
        """Drop clients that had a fatal error; the next :meth:`reach` makes new ones."""
        if self._common is not None and self._common.producer.failure is not None:
            self._common = None
        if self._alone is not None and self._alone.failure is not None:
            self._alone = None

    def drop(self) -> None:
        """Drop both clients, because they may still contain records that other relays are sending meanwhile."""
        self._common = self._alone = None

    def poll(self) -> None:
        """Poll both clients, so that they report errors while nothing is sent."""
        for producer in (self._common.producer if self._common else None, self._alone):
            if producer is not None:
                producer.poll(0)
