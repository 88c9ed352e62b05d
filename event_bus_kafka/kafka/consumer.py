"""
Producer and consumer of confluent-kafka as our types and errors.

Callbacks run in the thread that polls. What is not in these classes, the package does not need of Kafka.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from time import monotonic
from typing import Any

import attrs
import confluent_kafka
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from event_bus_kafka.errors import AssignmentLost, BrokerError, ConfigurationError, DeliveryFailed
from event_bus_kafka.kafka import error_codes
from event_bus_kafka.kafka.broker_errors import to_broker_error, to_commit_error
from event_bus_kafka.kafka.connection import Connection
from event_bus_kafka.kafka.factory import built, report_trouble, tell_statistics, to_record
from event_bus_kafka.kafka.offsets import LogOffsets
from event_bus_kafka.kafka.offsets import Partition as Partition
from event_bus_kafka.kafka.positions import RESET, AssignedPositions
from event_bus_kafka.trouble import Trouble
from event_bus_kafka.wire.records import ConsumerRecord, Headers, HeadersByName, ProducerRecord

Options = dict[str, Any]
OnDelivery = Callable[..., None]
"""Takes :class:`Delivered` or :class:`DeliveryFailed` as its last argument."""


_BATCH = 500
"""Records taken at a time; more gains nothing measurable."""
_CAUSE_WITHIN = 2.0
"""Seconds."""
_REPORTS = 0.5
"""Seconds for the reports of what is purged."""


class Delivered:
    """Where Kafka put a record: asked of the client's message when somebody wants to know."""

    __slots__ = ("_message",)

    def __init__(self, message: Any) -> None:
        self._message = message

    @property
    def topic(self) -> str:
        return str(self._message.topic())

    @property
    def partition(self) -> int:
        return int(self._message.partition())

    @property
    def offset(self) -> int:
        return int(self._message.offset())


@attrs.frozen
class Committed:
    """What a group has committed for a partition: the offset of the next record to read, and a text of its own."""

    offset: int
    metadata: str = ""


class QueueFull(BrokerError):
    """The producer's local queue has no room: poll, and try again."""


class Producer:
    """
    An idempotent producer. Thread-safe; useless in a child process after a fork.

    ``poll`` must be called regularly: delivery reports are handed out there. With the option ``statistics.interval.ms``
    it emits ProducerStatistics.
    """

    def __init__(self, options: Options) -> None:
        self._client = built(confluent_kafka.Producer, {"stats_cb": tell_statistics} | options, "producer")

    def __len__(self) -> int:
        """Records not confirmed yet, and what else waits for a poll: reports, errors of the client."""
        return len(self._client)

    def produce(self, record: ProducerRecord, on_delivery: OnDelivery, *about: Any) -> None:
        """
        Queue a record; ``on_delivery`` gets what became of it, after what it is about.

        Raises :class:`QueueFull`; :class:`DeliveryFailed` if the record is refused before it is queued.
        """

        def report(error: KafkaError | None, message: Any) -> None:
            on_delivery(*about, Delivered(message) if error is None else _failed(error))

        try:
            self._client.produce(
                record.topic,
                record.value,
                record.key,
                headers=_for_client(record.headers),
                on_delivery=report,
            )
        except BufferError:
            raise QueueFull(error_codes.QUEUE_FULL, "the local queue is full", retriable=True) from None
        except KafkaException as error:
            raise _failed(error) from error

    def poll(self, seconds: float) -> None:
        """Hand out delivery reports, waiting so long for the first."""
        self._serve(self._client.poll, seconds)

    def hasten(self, seconds: float) -> None:
        """As ``poll``, while nothing lingers; returns once all is confirmed. A fatal error may cost reports."""
        self._serve(self._client.flush, seconds)

    def flush(self, seconds: float) -> int:
        """
        Wait so long for confirmations; return how many records lack them still.

        The client's own flush goes on after a fatal error with the exception set, and thereby loses reports.
        """
        deadline = monotonic() + seconds
        while (left := len(self)) and (wait := deadline - monotonic()) > 0:
            self.poll(min(wait, 0.1))
        return left

    def reach(self, seconds: float) -> None:
        """Connect now, rather than at the first record. Raises :class:`BrokerError` if no broker answers in time."""
        try:
            self._client.list_topics(timeout=seconds)
        except KafkaException as error:
            raise to_broker_error(error) from error

    def purge(self, seconds: float = _REPORTS) -> None:
        """Give up all records that lack a confirmation; their delivery reports, waited for so long, say so."""
        self._client.purge(blocking=False)  # else it waits for each broker's thread, which may wait for a name server
        self.flush(seconds)

    def _serve(self, hand_out: Callable[[float], object], seconds: float) -> None:
        try:
            hand_out(seconds)
        except KafkaException as error:  # a fatal error is raised, once, in place of the error callback
            report_trouble("producer", error.args[0])


@attrs.frozen(kw_only=True)
class AssignmentListener:
    """Who is told of assignment changes, inside ``poll`` and ``close``. The callables must not raise."""

    assigned: Callable[[list[Partition]], None]
    revoked: Callable[[list[Partition]], None]
    lost: Callable[[list[Partition]], None]


class GroupOffsets:
    """What a consumer group has committed."""

    _client: Any

    def committed(self, partitions: Iterable[Partition], *, timeout: float) -> dict[Partition, Committed]:
        """Return what the group has committed, of partitions where it has. Raises :class:`BrokerError`."""
        try:
            found = self._client.committed([TopicPartition(*partition) for partition in partitions], timeout=timeout)
        except KafkaException as error:
            raise to_broker_error(error) from error
        for one in found:
            if one.error is not None:  # refused is not the same as nothing committed
                raise to_broker_error(one.error)
        return {
            (one.topic, one.partition): Committed(one.offset, one.metadata or "") for one in found if one.offset >= 0
        }

    def commit(self, offsets: Mapping[Partition, Committed]) -> None:
        """
        Commit the offsets of the next records to read, and wait for the answer; without any, nothing happens.

        Raises :class:`AssignmentLost` or another :class:`BrokerError`.
        """
        positions = [
            TopicPartition(topic, number, one.offset, one.metadata) for (topic, number), one in offsets.items()
        ]
        if not positions:
            return  # the client would report that it has no offset
        try:
            answers = self._client.commit(offsets=positions, asynchronous=False)
        except KafkaException as error:
            raise to_commit_error(error) from error
        for answer in answers or ():
            if answer.error is not None:
                raise to_commit_error(answer.error)


class Consumer(GroupOffsets, LogOffsets):
    """A member of a consumer group. One thread uses it."""

    def __init__(
        self, options: Options, topics: Iterable[str], listener: AssignmentListener, *, begin_paused: bool = False
    ) -> None:
        connection = Connection("consumer")
        self._begin_paused = begin_paused
        options = connection.options | options
        self._client = built(confluent_kafka.Consumer, options | {RESET: "error"}, "consumer", connection.on_error)
        self._listener = listener
        self.positions = AssignedPositions(self._client, options.get(RESET))
        try:
            self._client.subscribe(
                list(topics), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
            )
        except KafkaException as error:
            raise ConfigurationError(f"The topic name is refused: {to_broker_error(error).reason}.") from error

    def poll(self, seconds: float, most: int = _BATCH) -> list[ConsumerRecord]:
        """
        Return so many records at most, waiting so long for the first. Records of partitions that were revoked in this
        very call may be among them. Errors that the client reports in place of a record are emitted as
        ClientErrorReported.

        Raises :class:`BrokerError` if one of them is fatal: make a new consumer.
        """
        first = self._client.poll(seconds)
        if first is None:
            return []
        # consume() alone would wait for all of them, or the full time-out
        rest = self._client.consume(min(most, _BATCH) - 1, 0)
        messages = (first, *rest)
        for message in messages:
            if message.error() is not None and not self.positions.note(message):
                failure = report_trouble("consumer", message.error())
                if failure.fatal:
                    raise failure
        records = [to_record(message) for message in messages if message.error() is None]
        self.positions.note_read((record.topic, record.partition) for record in records)
        return records

    def commit(self, offsets: Mapping[Partition, Committed]) -> None:
        """
        Commit the offsets of the next records to read, and wait for the answer, a silent broker's too; without any,
        nothing happens.

        Raises :class:`AssignmentLost`, also for a partition that is not assigned here, or another :class:`BrokerError`.
        """
        if not self.positions.assigned.issuperset(offsets):  # Kafka would take it: the offset of another member
            raise AssignmentLost(error_codes.STATE, "not all of these partitions are assigned to this member")
        super().commit(offsets)

    def cause_of(self, failure: BrokerError) -> BrokerError:
        """
        Return what a fatal error of a commit may not tell: its cause. That stands behind the records that were read
        ahead, which are lost to this client.
        """
        deadline = monotonic() + _CAUSE_WITHIN
        try:
            while failure.kind is Trouble.OTHER and monotonic() < deadline:
                self.poll(0.1)
        except BrokerError as told:
            return told
        return failure

    def pause(self, partitions: Iterable[Partition]) -> None:
        """Fetch nothing from partitions until they are resumed."""
        self._client.pause([TopicPartition(*partition) for partition in partitions])

    def resume(self, partitions: Iterable[Partition]) -> None:
        """Fetch from paused partitions again."""
        self._client.resume([TopicPartition(*partition) for partition in partitions])

    def close(self) -> None:
        """Leave the group; assigned partitions are revoked first."""
        self._client.close()

    def _on_assign(self, client: Any, partitions: list[TopicPartition]) -> None:
        if self._begin_paused:
            # What is to be moved first must not read ahead: that would be handed out after the move still.
            self.positions.accept(partitions)
            client.pause(partitions)
        else:
            client.resume(partitions)  # a partition that was paused when it left comes back paused
        self.positions.assigned.update(_named(partitions))
        self._listener.assigned(_named(partitions))

    def _on_revoke(self, _client: Any, partitions: list[TopicPartition]) -> None:
        self._listener.revoked(_named(partitions))
        self.positions.forget(_named(partitions))

    def _on_lost(self, _client: Any, partitions: list[TopicPartition]) -> None:
        self.positions.forget(_named(partitions))
        self._listener.lost(_named(partitions))


def _for_client(headers: Headers | HeadersByName) -> HeadersByName | list[tuple[str, bytes | None]]:
    """Return a dict, which the client takes in half the time of a list; a list where a name stands twice."""
    if isinstance(headers, dict):
        return headers
    by_name = dict(headers)
    return by_name if len(by_name) == len(headers) else list(headers)


def _failed(error: KafkaError | KafkaException) -> DeliveryFailed:
    failure = to_broker_error(error, DeliveryFailed)
    assert isinstance(failure, DeliveryFailed)
    return failure


def _named(partitions: Iterable[TopicPartition]) -> list[Partition]:
    return [(partition.topic, partition.partition) for partition in partitions]
