"""Wraps confluent-kafka's producer. Returns objects and raises exceptions of this package's classes."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

import confluent_kafka
from confluent_kafka import KafkaError, KafkaException

from event_bus_kafka.errors import BrokerError, DeliveryFailed
from event_bus_kafka.kafka import error_codes
from event_bus_kafka.kafka.broker_errors import as_broker_errors, to_broker_error
from event_bus_kafka.kafka.connection import Reach
from event_bus_kafka.kafka.factory import Options, make_client, report_error
from event_bus_kafka.kafka.messages import emit_statistics, headers_for_client
from event_bus_kafka.telemetry import flush_observers
from event_bus_kafka.wire.records import ProducerRecord

OnDelivery = Callable[..., None]
"""A callback whose last argument is :class:`Delivered` or :class:`DeliveryFailed`."""
Report = Callable[[KafkaError | None, Any], None]
"""
A callback with two arguments: the client's error, or None if Kafka confirmed the record; and the client's message.
"""
_PURGED_WITHIN = 0.5
"""Seconds to wait for the delivery reports of purged records."""
reach = Reach()


class Delivered:
    """
    Topic, partition and offset of a stored record. These values are read from the client's message only on access,
    because most callers do not need them.
    """

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


class QueueFull(BrokerError):
    """The producer's local queue is full. The caller has to poll and try again."""


class Producer:
    """
    An idempotent producer. Thread-safe; must not be used in a child process after a fork.

    Call ``poll`` regularly, because it calls the delivery callbacks, in the thread that polls. If the option
    ``statistics.interval.ms`` is set, ``poll`` also emits ProducerStatistics.
    """

    def __init__(self, options: Options) -> None:
        self._client = make_client(
            confluent_kafka.Producer, options, "producer", on_error=reach.on_error, stats_cb=emit_statistics
        )
        self.failure: BrokerError | None = None
        """
        The reason why the producer takes no more records: a fatal error, or a purge. None: it takes records. Records in
        flight still get their delivery reports.
        """

    def __len__(self) -> int:
        """
        Return the number of unconfirmed records, plus the delivery reports and client errors that wait for a poll.
        """
        return len(self._client)

    def produce(self, record: ProducerRecord, on_delivery: OnDelivery, *about: Any) -> None:
        """
        Queue a record. ``on_delivery`` is called with ``about``, followed by :class:`Delivered` or
        :class:`DeliveryFailed`.

        Raises :class:`QueueFull` if the local queue is full, and :class:`DeliveryFailed` if the client refuses to queue
        the record.
        """

        def report(error: KafkaError | None, message: Any) -> None:
            if reach.is_lost and error is None:
                reach.regain()
            on_delivery(*about, Delivered(message) if error is None else delivery_failure(error))

        self.enqueue(record, report)

    def enqueue(self, record: ProducerRecord, report: Report) -> None:
        """
        Queue a record as :meth:`produce` does, but faster. ``report`` itself must call ``reach.regain`` if Kafka has
        confirmed the record and ``reach.is_lost`` is True.
        """
        if self.failure is not None:  # librdkafka itself would take records after a purge
            raise DeliveryFailed(error_codes.FATAL, str(self.failure), fatal=True)
        topic, key, value, named = record
        headers = named if isinstance(named, dict) else headers_for_client(named)  # a call would take longer
        try:
            self._client.produce(topic, value, key, headers=headers, on_delivery=report)
        except BufferError:
            raise QueueFull(error_codes.QUEUE_FULL, "the local queue is full", retriable=True) from None
        except KafkaException as error:
            self._note(delivery_failure(error))
            raise delivery_failure(error) from error  # a new object: the frames of a raised one refer to this producer
        except (TypeError, ValueError) as error:  # such as a topic's name with a null character
            raise DeliveryFailed(error_codes.INVALID_ARG, f"the client raised {type(error).__name__}") from error

    def poll(self, seconds: float) -> None:
        """Wait at most ``seconds`` for a delivery report, and call the callbacks of all reports that have come."""
        self._serve(self._client.poll, seconds)

    def poll_without_linger(self, seconds: float) -> None:
        """
        Poll for ``seconds``, or until all records are confirmed, without waiting for ``linger.ms``. After a fatal error
        delivery reports may be lost.
        """
        self._serve(self._client.flush, seconds)

    def flush(self, seconds: float) -> int:
        """
        Wait at most ``seconds`` for the delivery reports of all records. Return the producer's length afterwards (see
        :meth:`__len__`); 0: all reports have come.

        Does not use the client's own flush, which loses delivery reports after a fatal error.
        """
        deadline = monotonic() + seconds
        while (left := len(self)) and (wait := deadline - monotonic()) > 0:
            self.poll(min(wait, 0.1))
        return left

    def connect(self, seconds: float) -> dict[str, int]:
        """
        Connect now, instead of at the first record. Return the number of partitions by topic.

        Raises :class:`BrokerError` if no broker answers within ``seconds``.
        """
        try:
            with as_broker_errors(self._client):
                found = self._client.list_topics(timeout=seconds)
        except BrokerError:
            reach.is_lost = True
            raise
        reach.regain()
        return {name: len(topic.partitions) for name, topic in found.topics.items() if topic.partitions}

    def purge(self, seconds: float = _PURGED_WITHIN) -> None:
        """
        Give up all unconfirmed records, and wait at most ``seconds`` for their delivery reports.

        Do not use the producer afterwards: it might busy-loop, and send records twice.
        """
        self.failure = self.failure or BrokerError(error_codes.DESTROY, "its records were given up")
        self._client.purge(blocking=False)  # blocking, it waits for each broker's thread, which may wait for DNS
        self.flush(seconds)

    def _serve(self, poll: Callable[[float], object], seconds: float) -> None:
        try:
            poll(seconds)
        except KafkaException as error:  # a fatal error is raised, once, in place of the error callback
            self._note(report_error("producer", error.args[0]))
        flush_observers()

    def _note(self, error: BrokerError) -> None:
        if error.fatal:
            self.failure = self.failure or error


def unheard() -> DeliveryFailed:
    """Return the error for records that got no delivery report in time."""
    return DeliveryFailed(error_codes.TIMED_OUT, "Kafka did not confirm all records in time", retriable=True)


def delivery_failure(error: KafkaError | KafkaException) -> DeliveryFailed:
    """Convert a client's error to :class:`DeliveryFailed`."""
    failure = to_broker_error(error, DeliveryFailed)
    assert isinstance(failure, DeliveryFailed)
    return failure
