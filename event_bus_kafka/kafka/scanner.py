"""Searches several partitions at once for records with given headers or keys. Values are not searched."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from math import inf
from operator import methodcaller
from time import monotonic
from typing import Any

import attrs
from confluent_kafka import TopicPartition

from event_bus_kafka.errors import BrokerError
from event_bus_kafka.kafka import error_codes
from event_bus_kafka.kafka.broker_errors import as_broker_errors, to_broker_error
from event_bus_kafka.kafka.factory import Options
from event_bus_kafka.kafka.messages import to_record
from event_bus_kafka.kafka.offsets import Partition, Range
from event_bus_kafka.kafka.reader import Reader
from event_bus_kafka.wire.records import ConsumerRecord
from event_bus_kafka.wire.serde import without_frame

_BATCH = 200
"""
Maximum number of messages that the client returns at once. With 10,000 messages a scan would take twice the time,
because each message keeps its headers in memory after they were read.
"""
_OWN: Options = {
    "fetch.queue.backoff.ms": 10,  # by default the client pauses for a second after 100,000 records
}

_headers_of = methodcaller("headers")
"""Returns a message's headers. A direct call of ``headers`` may hide its exception (see ``kafka/messages.py``)."""


@attrs.frozen(kw_only=True)
class Sought:
    """
    A condition on records. If ``keys`` is not empty, a record matches if it has one of the keys, with or without a
    schema id before it. Otherwise a record matches if it has one of the headers.
    """

    headers: frozenset[tuple[str, bytes]] = frozenset()
    keys: frozenset[bytes] = frozenset()

    def is_in(self, message: Any) -> bool:
        if self.keys:
            key = message.key()
            return key is not None and (without_frame(key) in self.keys or key in self.keys)
        try:
            return not self.headers.isdisjoint(_headers_of(message) or ())
        except (SystemError, UnicodeDecodeError):  # a header's name is not UTF-8: the record is no event
            return False


@attrs.define(kw_only=True)
class ScanState:
    """The progress of a scan on one partition."""

    offsets: Range
    stop: int
    """The first offset that was not checked yet."""
    first_time: int | None = None
    """Time of the first record that was read (milliseconds since the epoch); None: no record was read."""
    last_time: int | None = None
    error: BrokerError | None = None
    """The error that ended the scan of this partition; None: no error."""


class Scanner(Reader):
    """A reader that searches several partitions at once."""

    def __init__(self, options: Options, *, timeout: float, until: float = inf) -> None:
        super().__init__(options | _OWN, timeout=timeout, until=until)
        self.states: dict[Partition, ScanState] = {}
        """Partition → its progress. Partitions whose scan ended with an error are included."""
        self.read_count = 0
        """Number of records read so far."""

        self._left: set[Partition] = set()

    def scan(self, ranges: Mapping[Partition, Range], sought: Sought, *, until: float) -> Iterator[ConsumerRecord]:
        """
        Yield the records that match ``sought``, until all ranges are read or the monotonic time ``until`` is reached;
        ``states`` shows the progress. Raises :class:`BrokerError` if the client cannot continue at all.
        """
        self.states = {name: ScanState(offsets=offsets, stop=offsets.start) for name, offsets in ranges.items()}
        self._left = {name for name, offsets in ranges.items() if offsets.start < offsets.end}
        self._assign()
        while self._left and monotonic() < until:
            with as_broker_errors():
                messages = self._client.consume(_BATCH, 0.1)
            found = self._looked_through(messages, sought)
            yield from found

    def leave(self, topics: Collection[str]) -> None:
        """Stop the search in ``topics``; the search in other topics continues."""
        leaving = {name for name in self._left if name[0] in topics}
        if leaving:
            self._left -= leaving
            self._assign()

    def _assign(self) -> None:
        with as_broker_errors():
            self._client.assign([TopicPartition(*name, self.states[name].stop) for name in sorted(self._left)])

    def _looked_through(self, messages: list[Any], sought: Sought) -> list[ConsumerRecord]:
        found: list[ConsumerRecord] = []
        first: dict[Partition, Any] = {}
        last: dict[Partition, Any] = {}
        for message in messages:
            if message.error() is not None:
                self._note_error(message)
                continue
            name = message.topic(), message.partition()
            last[name] = message
            if name not in first:
                first[name] = message
            if sought.is_in(message):
                found.append(to_record(message))
        self.read_count += len(messages)
        for name, message in last.items():
            self._note_position(name, first[name], message)
        return found

    def _note_position(self, name: Partition, first: Any, last: Any) -> None:
        if name not in self._left:
            return  # the message belongs to an earlier assignment
        state = self.states[name]
        if state.first_time is None:
            state.first_time = first.timestamp()[1]
        state.stop, state.last_time = last.offset() + 1, last.timestamp()[1]
        if state.stop >= state.offsets.end:
            self._left.discard(name)

    def _note_error(self, message: Any) -> None:
        self.read_count -= 1
        name, error = (message.topic(), message.partition()), message.error()
        of_partition = [one for one in self._left if name in (one, (one[0], -1))]
        for one in of_partition:
            if error.name() == error_codes.PARTITION_EOF:
                self.states[one].stop = max(self.states[one].stop, self.states[one].offsets.end)
            else:
                self.states[one].error = to_broker_error(error)
            self._left.discard(one)
