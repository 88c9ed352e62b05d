"""
Wraps confluent-kafka's consumer, as a member of a consumer group. Returns objects and raises exceptions of this
package's classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from time import monotonic
from typing import Any

import attrs
import confluent_kafka
from confluent_kafka import OFFSET_BEGINNING, KafkaException, TopicPartition

from event_bus_kafka.errors import AssignmentLost, BrokerError, ConfigurationError
from event_bus_kafka.kafka import error_codes
from event_bus_kafka.kafka.broker_errors import to_broker_error
from event_bus_kafka.kafka.connection import Connection
from event_bus_kafka.kafka.factory import Options, make_client, report_error
from event_bus_kafka.kafka.messages import to_record
from event_bus_kafka.kafka.offsets import Committed, GroupOffsets, LogOffsets, Partition
from event_bus_kafka.kafka.positions import RESET, AssignedPositions
from event_bus_kafka.trouble import Trouble
from event_bus_kafka.wire.records import ConsumerRecord

_BATCH = 500
"""Maximum number of records that one poll returns. A higher maximum is not measurably faster."""
_CAUSE_WITHIN = 2.0
"""Seconds of polling in which the client may still report the cause of a fatal error."""
_LOOK_EVERY = 0.1
"""Maximum seconds between two checks for partitions that were assigned during a poll. Such partitions end the poll."""


@attrs.frozen(kw_only=True)
class AssignmentListener:
    """Callbacks for assignment changes, called inside ``poll`` and ``close``. They must not raise."""

    assigned: Callable[[list[Partition]], None]
    revoked: Callable[[list[Partition]], None]
    lost: Callable[[list[Partition]], None]


class ConsumerClient(GroupOffsets, LogOffsets):
    """A member of a consumer group. Only one thread may use it, because it is not thread-safe."""

    def __init__(self, options: Options, topics: Iterable[str], listener: AssignmentListener) -> None:
        connection = Connection("consumer")
        options = connection.options | options
        self._client = make_client(
            confluent_kafka.Consumer,
            options | {RESET: "error"},
            "consumer",
            connection.on_error,
            stats_cb=connection.on_statistics,
        )
        self._listener = listener
        self.positions = AssignedPositions(self._client, options)
        try:
            self._client.subscribe(
                list(topics), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
            )
        except KafkaException as error:
            raise ConfigurationError(f"The topic name is refused: {to_broker_error(error).reason}.") from error

    def poll(self, seconds: float, most: int = _BATCH) -> list[ConsumerRecord]:
        """
        Return at most ``most`` records. Wait at most ``seconds`` for the first record, or until partitions are
        assigned.

        The result may contain records of partitions that were revoked, and perhaps assigned again, during this call.
        Errors that the client reports in place of a record are emitted as ClientErrorReported. Raises
        :class:`BrokerError` if such an error is fatal. After a fatal error, make a new client.
        """
        first = self._first(seconds)
        if first is None:
            return []
        # consume() alone would wait for all of them, or the full time-out
        rest = self._client.consume(min(most, _BATCH) - 1, 0)
        records = []
        for message in (first, *rest):
            error = message.error()
            if error is None:
                records.append(to_record(message))
            elif not self.positions.mark_gone(message):
                failure = report_error("consumer", error, message.topic() or "")
                if failure.fatal:
                    raise failure
        return records

    def initial_offset(self, partition: Partition, *, timeout: float) -> int:
        """
        Return the offset at which a group without a committed offset begins to read: the constant OFFSET_BEGINNING, or
        the present end offset of the partition if ``auto.offset.reset`` is ``latest``. With a constant for the end, the
        group would skip records that arrive before the first read.

        Raises :class:`BrokerError`.
        """
        return self.range_of(partition, timeout=timeout).end if self.positions.begins_at_end else OFFSET_BEGINNING

    def known_ends(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """
        Return the end offsets of the partitions as far as the client has cached them, without asking Kafka. Call it
        only in the polling thread, because that thread might destroy the client during a call in another thread.
        """
        ends = {}
        for partition in partitions:
            with suppress(KafkaException):  # the client knows nothing of the partition yet
                _, end = self._client.get_watermark_offsets(TopicPartition(*partition), cached=True)
                if end >= 0:
                    ends[partition] = end
        return ends

    def commit_each(self, offsets: Mapping[Partition, Committed]) -> dict[Partition, BrokerError]:
        """
        Commit offsets; return the error of each refused partition. A partition that is not assigned to this member gets
        :class:`AssignmentLost`.
        """
        here = {name: one for name, one in offsets.items() if name in self.positions.assigned}
        lost = AssignmentLost(error_codes.STATE, "these partitions are not assigned to this member")
        # Kafka would accept the commit, and overwrite the offset of another member.
        return dict.fromkeys(offsets.keys() - here.keys(), lost) | super().commit_each(here)

    def cause_of(self, failure: BrokerError) -> BrokerError:
        """
        Return the error that caused ``failure``. Return ``failure`` itself if its ``kind`` is known, or if no other
        error comes within 2 s of polling. librdkafka delivers the cause after its prefetched records, which are
        discarded.

        ``failure``: a fatal error of a commit.
        """
        deadline = monotonic() + _CAUSE_WITHIN
        try:
            while failure.kind is Trouble.OTHER and monotonic() < deadline:
                self.poll(0.1)
        except BrokerError as cause:
            return cause
        return failure

    def pause(self, partitions: Iterable[Partition]) -> None:
        """Fetch nothing from ``partitions`` until they are resumed."""
        self._client.pause([TopicPartition(*partition) for partition in partitions])

    def resume(self, partitions: Iterable[Partition]) -> None:
        """Fetch from paused partitions again."""
        self._client.resume([TopicPartition(*partition) for partition in partitions])

    def close(self) -> None:
        """Leave the group; assigned partitions are revoked first."""
        self._client.close()

    def _first(self, seconds: float) -> Any:
        """
        Return the first message; None: no message came in time, or partitions were assigned and have to be started.
        """
        deadline, waiting = monotonic() + seconds, len(self.positions.waiting)
        while True:
            left = max(deadline - monotonic(), 0.0)
            first = self._client.poll(min(left, _LOOK_EVERY))  # poll() keeps waiting after a callback
            if first is not None or left <= _LOOK_EVERY or len(self.positions.waiting) > waiting:
                return first

    def _on_assign(self, _client: Any, partitions: list[TopicPartition]) -> None:
        self.positions.assign(_partitions(partitions))
        self._listener.assigned(_partitions(partitions))

    def _on_revoke(self, _client: Any, partitions: list[TopicPartition]) -> None:
        self._listener.revoked(_partitions(partitions))
        self.positions.forget(_partitions(partitions))

    def _on_lost(self, _client: Any, partitions: list[TopicPartition]) -> None:
        self.positions.forget(_partitions(partitions))
        self._listener.lost(_partitions(partitions))


def _partitions(partitions: Iterable[TopicPartition]) -> list[Partition]:
    return [(partition.topic, partition.partition) for partition in partitions]
