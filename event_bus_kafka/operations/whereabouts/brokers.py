"""
Searches Kafka for an event: finds its records, the progress of groups, and reasons why Kafka may have deleted a record.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping
from math import inf
from time import monotonic

from event_bus_kafka.dead_letters.letter import identity
from event_bus_kafka.errors import EventBusError, NotThere
from event_bus_kafka.kafka.offsets import Partition, Range
from event_bus_kafka.kafka.scanner import Scanner
from event_bus_kafka.operations import masking
from event_bus_kafka.operations.whereabouts.absence import note_losses
from event_bus_kafka.operations.whereabouts.answer import MOST, KafkaPlace, Question, Scanned
from event_bus_kafka.operations.whereabouts.gathered import BrokerFindings
from event_bus_kafka.operations.whereabouts.group_places import add_groups
from event_bus_kafka.operations.whereabouts.identifying import KeyCheck, sought
from event_bus_kafka.operations.whereabouts.neighbourhood import Neighbourhood, ServerAccess
from event_bus_kafka.operations.whereabouts.starting import ranges_to_scan
from event_bus_kafka.wire.records import ConsumerRecord

_READ, _ANSWERED = 0.7, 0.85
"""
Shares of the time limit of the whole answer. After the first share, no more records are read. After the second share,
no request waits for Kafka any more.
"""
_SHORTEST = 0.1
"""Minimum time limit of a request to the registry, in seconds."""


class BrokerSearch:
    """
    Searches Kafka for the records of an event. Each instance searches once. ``places``: partition → the event's offset
    according to a dead letter.
    """

    def __init__(
        self, question: Question, around: Neighbourhood, servers: ServerAccess, places: Mapping[Partition, int]
    ) -> None:
        self._question = question
        self._around = around
        self._servers = servers
        self._places = places
        self._left: set[str] = set()
        """Topics that need no further search."""
        self.found = BrokerFindings()
        """The findings so far."""

    def look(self, topics: Collection[str]) -> BrokerFindings:
        """
        Search the offsets in ``places``, and the topics that the question names. If the question names none, search
        ``topics`` (full names) instead, except topics with an offset in ``places``. Unreachable brokers and topics are
        noted in ``unseen``. Raises :class:`NotThere` if a topic that the question names does not exist.
        """
        try:
            with self._servers.scanner(self._question.due(_ANSWERED)) as scanner:
                to_scan = ranges_to_scan(scanner, self._question, topics, self._places, self.found)
                self._scan(scanner, to_scan)
                groups = self._servers.groups()
                if not self.found.records:
                    note_losses(scanner, groups, self._question, self._places, self.found)
                add_groups(scanner, groups, self._around.subscriptions, self.found)
        except NotThere:
            raise
        except EventBusError as error:
            self.found.not_seen("Kafka", error)
        return self.found

    def _scan(self, scanner: Scanner, to_scan: Mapping[Partition, Range]) -> None:
        latest: deque[KafkaPlace] = deque(maxlen=MOST)
        for record in self._records(scanner, to_scan):
            self.found.more_records += len(latest) == MOST
            latest.append(self._place(record))
            self.found.records = list(latest)
        self._note_scanned(scanner)

    def _records(self, scanner: Scanner, to_scan: Mapping[Partition, Range]) -> Iterator[ConsumerRecord]:
        until = min(monotonic() + self._question.seconds, self._question.due(_READ))
        records = scanner.scan(to_scan, sought(self._question), until=until)
        if self._question.event_id is None:
            yield from self._with_key(records)
            return
        for record in records:
            yield record
            self._left |= self._superfluous(record, {topic for topic, _ in to_scan})
            scanner.leave(self._left)

    def _with_key(self, records: Iterator[ConsumerRecord]) -> Iterator[ConsumerRecord]:
        with self._servers.registry(max(self._question.left(inf, _READ), _SHORTEST)) as registry:
            check = KeyCheck(self._question.key or "", registry)
            yield from filter(check.passes, records)
        if check.failure:
            self.found.not_seen("the schema registry", check.failure, "; keys were compared by their bytes alone")

    def _superfluous(self, record: ConsumerRecord, topics: set[str]) -> set[str]:
        """Return those of ``topics`` that need no further search after ``record`` was found."""
        event_type = identity(record)[0]
        if self._question.topics or record.topic in self._around.dead_letters or not event_type:
            return {record.topic}
        return topics - self._around.left_to_search(event_type) | {record.topic}

    def _place(self, record: ConsumerRecord) -> KafkaPlace:
        event_type, event_id = identity(record)
        return KafkaPlace(
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            time=record.timestamp,
            event_type=event_type,
            event_id=event_id,
            masked_key=masking.masked_key(record.key),
            is_tombstone=record.value is None,
            is_dead_letter=record.topic in self._around.dead_letters,
        )

    def _note_scanned(self, scanner: Scanner) -> None:
        self.found.read = scanner.read_count
        for (topic, partition), state in scanner.states.items():
            if state.error is not None:
                self.found.not_seen(f"topic {topic}", state.error)
            elif topic not in self._left:
                scanned = Scanned(
                    topic=topic,
                    partition=partition,
                    start=state.offsets.start,
                    stop=state.stop,
                    end=state.offsets.end,
                    last_time=state.last_time,
                )
                self.found.scanned.append(scanned)
