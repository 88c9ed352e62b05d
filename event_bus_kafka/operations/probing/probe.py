"""Probes the bus: sends a synthetic event in the same way as this service's own events, then reads it from Kafka."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from functools import partial
from time import monotonic, sleep, time
from typing import Any, Protocol
from uuid import uuid4

import attrs
from openedx_events.data import EventsMetadata

from event_bus_kafka.errors import EventBusError, NotThere, SchemaRegistryError
from event_bus_kafka.kafka.offsets import Partition, Range
from event_bus_kafka.kafka.reader import Reader
from event_bus_kafka.kafka.schema_registry import SchemaRegistry
from event_bus_kafka.kafka.schema_subjects import SchemaSubjects
from event_bus_kafka.operations.probing.legs import ClockDifference, LegFailed, Legs, ProbeResult
from event_bus_kafka.operations.probing.probe_event import KEY_FIELD, PROBE_TOPIC, probe_signal
from event_bus_kafka.telemetry import emit, observe, unobserve
from event_bus_kafka.telemetry.events import (
    ClientErrorReported,
    EventAppended,
    EventRejected,
    EventSpilled,
    EventUndelivered,
    LifecycleEvent,
    ProbeEnded,
    RecordDelivered,
)
from event_bus_kafka.wire import serde
from event_bus_kafka.wire.codec import codec_for
from event_bus_kafka.wire.records import ConsumerRecord

_LOOK_EVERY = 0.02
"""Seconds between two requests for the topic's end offsets."""
_SHORTEST = 0.001
"""Resolution of Kafka's timestamps, in seconds."""
_ENDS = (EventAppended, RecordDelivered, EventSpilled, EventUndelivered, EventRejected)


class ProbeSender(Protocol):
    """The producer with which this service sends events."""

    def send(
        self, *, signal: Any, topic: str, event_key_field: str, event_data: dict[str, Any], event_metadata: Any
    ) -> None: ...


@attrs.frozen(kw_only=True)
class Probe:
    """
    A probe of the bus. :meth:`run` sends an event and returns the duration of each leg, a part of the event's way.

    ``timeout``: maximum number of seconds for which a leg waits for the event; then the leg fails, and the probe ends.
    ``slow``: a leg that takes more than this number of seconds counts as failed, but the probe continues.
    """

    topic: str
    """Full name of the probe's topic."""
    connect: Callable[[], Reader]
    subjects: SchemaSubjects
    registry: SchemaRegistry
    producer: ProbeSender
    topics_appear: Callable[[], bool]
    """
    Returns whether the brokers create a topic when it is first used, as the sandbox does. May raise
    :class:`BrokerError`.
    """
    confirm: Callable[[float], None]
    """
    Waits until Kafka has confirmed or refused all events sent so far, but not longer than the given number of seconds.
    """
    timeout: float
    slow: float

    def run(self) -> ProbeResult:
        """Send an event and read it from Kafka. Failures of the bus are in the result; other exceptions are raised."""
        legs = Legs(self.slow)
        clock = None
        with suppress(LegFailed):
            clock = self._journey(legs)
        result = ProbeResult(legs=tuple(legs.taken), clock=clock)
        failed = result.failed
        emit(
            ProbeEnded(
                topic=self.topic,
                legs=tuple((leg.name, leg.seconds) for leg in result.legs),
                failed=failed.name if failed else "",
                reason=failed.failure if failed else "",
            )
        )
        return result

    def _journey(self, legs: Legs) -> ClockDifference | None:
        with ExitStack() as at_end:
            with legs.leg("topic"):
                reader = at_end.enter_context(self.connect())
                starts = self._ends(reader)
            with legs.leg("registry"):
                self._find_schemas()
            metadata = EventsMetadata(event_type=probe_signal.event_type)
            sent_at = time()
            with legs.leg("send"):
                delivered = self._send(metadata)
            places: Mapping[Partition, Range]
            if delivered is not None:
                offset = delivered.offset
                places = {(delivered.topic, delivered.partition): Range(offset, offset + 1)}
            else:
                legs.rename_last("outbox")
                with legs.leg("relay"):
                    places = self._until_written(reader, starts)
            known_at = time()
            with legs.leg("receive"):
                stamp = self._receive(reader, places, str(metadata.id))
        return None if stamp is None else _difference(stamp / 1000, sent_at, known_at)

    def _ends(self, reader: Reader) -> dict[Partition, int]:
        partitions = reader.partitions(self.topic)
        if not partitions and not self.topics_appear():
            raise NotThere(
                f"there is no topic {self.topic}, or this user may not see it: manage.py event_topics apply makes it"
            )
        return {one: reader.range_of(one, timeout=reader.timeout).end for one in partitions}

    def _find_schemas(self) -> None:
        codec = codec_for(probe_signal)
        key = codec.key(KEY_FIELD)
        for name, schema in ((key.avro_name, key.schema), (codec.record_name, codec.schema)):
            subject = f"{self.topic}-{name}"
            if self.subjects.id_of(subject, schema) is None:
                self.registry.id_of(subject, schema)

    def _send(self, metadata: EventsMetadata) -> RecordDelivered | None:
        """
        Send the event. Return its delivery to Kafka; None: the event went into the outbox instead. Raises
        :class:`LegFailed`.
        """
        ends: list[LifecycleEvent] = []
        troubles: list[str] = []

        def note(event: Any) -> None:
            if isinstance(event, ClientErrorReported):
                troubles.append(str(event.error))
            elif event.event_id == str(metadata.id):
                ends.append(event)

        observe(note, *_ENDS, ClientErrorReported)
        try:
            self.producer.send(
                signal=probe_signal,
                topic=PROBE_TOPIC,
                event_key_field=KEY_FIELD,
                event_data={KEY_FIELD: str(uuid4())},
                event_metadata=metadata,
            )
            if not ends:
                self.confirm(self.timeout)
        finally:
            unobserve(note)
        return self._told(ends, troubles)

    def _told(self, ends: list[LifecycleEvent], troubles: list[str]) -> RecordDelivered | None:
        for end in ends:
            if isinstance(end, RecordDelivered):
                return end
            if isinstance(end, EventAppended):
                return None
        failures = [str(one.error) for one in ends if isinstance(one, EventSpilled | EventUndelivered | EventRejected)]
        reasons = failures or [f"Kafka has not confirmed the event within {self.timeout:g} s"]
        # A client that has failed as a whole reports the cause in an error of its own, not with the event.
        raise LegFailed("; ".join(dict.fromkeys([*reasons, *troubles])))

    def _until_written(self, reader: Reader, starts: Mapping[Partition, int]) -> dict[Partition, Range]:
        deadline = monotonic() + self.timeout
        while monotonic() < deadline:
            for partition in reader.partitions(self.topic):
                start, end = starts.get(partition, 0), reader.range_of(partition, timeout=reader.timeout).end
                if end > start:
                    return {partition: Range(start, end)}
            sleep(_LOOK_EVERY)
        raise LegFailed(
            f"the event did not leave the outbox within {self.timeout:g} s: is manage.py relay_events running, and may "
            f"it write to {self.topic}? See its log, or event_outbox status"
        )

    def _receive(self, reader: Reader, places: Mapping[Partition, Range], event_id: str) -> int | None:
        """
        Read the event. Return the time at which the broker wrote its record, in milliseconds since the epoch; None: the
        topic has producers' timestamps instead.
        """
        deadline = monotonic() + self.timeout
        while True:
            for partition, offsets in places.items():
                for record, written_at in reader.read_stamped(partition, offsets):
                    if self._is_ours(record, event_id):
                        return written_at
            if monotonic() > deadline:
                raise LegFailed(f"the event is not among the new records of {self.topic}")
            # The records read so far belong to other probes, which run at the same time.
            ends = partial(reader.range_of, timeout=reader.timeout)
            places = {one: Range(offsets.start, ends(one).end) for one, offsets in places.items()}
            sleep(_LOOK_EVERY)

    def _is_ours(self, record: ConsumerRecord, event_id: str) -> bool:
        try:
            return str(serde.deserialize(record, probe_signal, self.registry).metadata.id) == event_id
        except SchemaRegistryError:
            raise
        except EventBusError:  # other senders may write to the topic
            return False


def _difference(stamp: float, sent_at: float, known_at: float) -> ClockDifference:
    return ClockDifference(least=stamp - known_at - _SHORTEST, most=stamp - sent_at + _SHORTEST)
