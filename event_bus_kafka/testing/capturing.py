"""Captures sent events in memory, after real encoding and decoding."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BytesIO
from typing import Any
from unittest.mock import patch

import attrs
import fastavro
from django.db.backends.base.base import BaseDatabaseWrapper
from openedx_events import apps as openedx_events_apps
from openedx_events.data import EventsMetadata
from openedx_events.event_bus import EventBusProducer
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka.conf.routes import full_topic, mode_of, route_of
from event_bus_kafka.outbox.database import may_have_outbox, outbox_connection
from event_bus_kafka.outbox.transactions import open_transactions
from event_bus_kafka.producing import tombstones
from event_bus_kafka.producing.routing import Route
from event_bus_kafka.testing.captured import CapturedEvent, CapturedEvents, UnsendableEvent
from event_bus_kafka.testing.commits import Commit, is_open_in_service
from event_bus_kafka.testing.differences import differences
from event_bus_kafka.testing.handler import handler_connected
from event_bus_kafka.testing.memory_registry import REGISTRY, payload_of
from event_bus_kafka.wire import serde
from event_bus_kafka.wire.codec import KeyCodec, codec_for
from event_bus_kafka.wire.records import ConsumerRecord, EncodedEvent, Event
from event_bus_kafka.wire.types import Scalar


@contextmanager
def captured_events() -> Iterator[CapturedEvents]:
    """
    Capture the events that the service sends inside the block, according to EVENT_BUS_PRODUCER_CONFIG.

    EVENT_BUS_PRODUCER need not be set. If an event cannot be sent, :class:`UnsendableEvent` is raised at the line that
    emits the event. If the block itself raises nothing, the error is raised again at the end of the block, because
    other code may have swallowed it.
    """
    with capture() as events:
        yield events
    events.raise_unsendable()


@contextmanager
def capture() -> Iterator[CapturedEvents]:
    """Capture events like :func:`captured_events`, but raise nothing at the end of the block."""
    events = CapturedEvents()
    with ExitStack() as stack:
        stack.enter_context(handler_connected())
        for module in (openedx_events_apps, tombstones):
            stack.enter_context(patch.object(module, "get_producer", lambda: _Producer(events)))
        for signal in OpenEdxPublicSignal.all_events():
            signal.connect(events.note_emitted)
            stack.callback(signal.disconnect, events.note_emitted)
        yield events


@attrs.frozen(eq=False)
class _Producer(EventBusProducer):
    """Encodes events like the real producer, and captures them instead of sending them."""

    _events: CapturedEvents

    def send(
        self,
        *,
        signal: OpenEdxPublicSignal,
        topic: str,
        event_key_field: str,
        event_data: dict[str, Any],
        event_metadata: EventsMetadata,
    ) -> None:
        __tracebackhide__ = True
        event = Event(signal=signal, data=event_data, metadata=event_metadata)
        with self._sendable(signal, topic):
            captured = _captured(event, topic, event_key_field)
        self._events.note(captured)
        lost = _lost_on_the_way(event, captured)
        if lost:
            raise self._events.note_unsendable(UnsendableEvent(signal.event_type, topic, lost))

    def send_tombstone(self, *, signal: OpenEdxPublicSignal, topic: str, key: Any) -> None:
        __tracebackhide__ = True
        with self._sendable(signal, topic):
            route = route_of(signal.event_type, topic)
            if route.enabled:
                self._events.note(_captured_tombstone(signal, route, key))

    @contextmanager
    def _sendable(self, signal: OpenEdxPublicSignal, topic: str) -> Iterator[None]:
        __tracebackhide__ = True
        try:
            yield
        except Exception as error:  # noqa: BLE001 the real producer logs any exception, and the event is lost
            reason = str(error).removeprefix(f"{signal.event_type}: ")
            raise self._events.note_unsendable(UnsendableEvent(signal.event_type, topic, reason)) from None


def _captured(event: Event, topic: str, key_field: str) -> CapturedEvent:
    record = _record(serde.encode(event, topic=full_topic(topic), key_field=key_field))
    arrived = serde.deserialize(record, event.signal, REGISTRY)
    return CapturedEvent(
        event_type=event.signal.event_type,
        topic=topic,
        key=_key_of(record, codec_for(event.signal).key(key_field)),
        data=arrived.data,
        metadata=arrived.metadata,
        record=record,
        commits=_awaited_commits(*mode_of(event.signal.event_type, topic)),
    )


def _captured_tombstone(signal: OpenEdxPublicSignal, route: Route, key: Any) -> CapturedEvent:
    topic, metadata = full_topic(route.topic), signal.generate_signal_metadata()
    record = _record(serde.encode_tombstone(signal, key, metadata, topic=topic, key_field=route.key_field))
    arrived = serde.deserialize_tombstone(record, route.topic, REGISTRY)
    return CapturedEvent(
        event_type=arrived.signal.event_type,
        topic=route.topic,
        key=_key_of(record, codec_for(signal).key(route.key_field)),
        data=arrived.data,
        metadata=arrived.metadata,
        record=record,
        commits=_awaited_commits(route.mode, route.database),
    )


def _awaited_commits(mode: str, database: str | None) -> tuple[Commit, ...]:
    return tuple(map(Commit.awaited, _deciding(mode, database)))


def _deciding(mode: str, database: str | None) -> list[BaseDatabaseWrapper]:
    """Return the connections with an open transaction that must commit before an event is sent in ``mode``."""
    if mode == "immediate":
        return []
    if mode == "on-commit":
        return open_transactions(database)
    connection = outbox_connection(database, is_open=is_open_in_service, takes_rows=may_have_outbox)
    if database or is_open_in_service(connection):
        return [connection] if connection.in_atomic_block else []
    return [one for one in open_transactions(None) if is_open_in_service(one) or one is connection]


def _record(encoded: EncodedEvent) -> ConsumerRecord:
    sent = serde.frame(encoded, REGISTRY)
    return ConsumerRecord(
        topic=sent.topic,
        partition=0,
        offset=0,
        timestamp=None,
        key=sent.key,
        value=sent.value,
        headers=encoded.headers,
    )


def _key_of(record: ConsumerRecord, codec: KeyCodec) -> Any:
    schema, body = payload_of(record.key or b"")
    value: Any = fastavro.schemaless_reader(BytesIO(body), schema, None)
    return codec.type.parse(value) if isinstance(codec.type, Scalar) and codec.type.parse else value


def _lost_on_the_way(event: Event, captured: CapturedEvent) -> str:
    emitted = codec_for(event.signal).with_objects(event.data)
    found = [one for name, value in emitted.items() for one in differences(value, captured.data[name], name)]
    return "; ".join(f"field {one.path} was {one.expected} and arrives as {one.got}" for one in found)
