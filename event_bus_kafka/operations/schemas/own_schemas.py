"""Lists the schemas with which this service encodes keys and events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka.conf.routes import full_topic, routes
from event_bus_kafka.errors import ConfigurationError
from event_bus_kafka.wire.codec import EventCodec, codec_for


@attrs.frozen(kw_only=True)
class OwnSchema:
    """A schema (JSON text) with which this service encodes keys or events, and the schema's subject in the registry."""

    event_type: str
    subject: str
    schema: str


def by_subject(event_types: Sequence[str] = ()) -> list[OwnSchema]:
    """
    Return the schemas of keys and values of all event types that this service sends, or only of ``event_types``. Each
    subject occurs once.

    Raises :class:`ConfigurationError` if settings are wrong or this service does not send one of ``event_types``.
    Raises :class:`SerializationError` if the data classes of an event type cannot be encoded.
    """
    found: dict[str, OwnSchema] = {}
    for route in routes():
        if not route.enabled or (event_types and route.event_type not in event_types):
            continue
        codec, topic = _codec(route.event_type), full_topic(route.topic)
        key = codec.key(route.key_field)
        for name, schema in ((key.avro_name, key.schema), (codec.record_name, codec.schema)):
            subject = f"{topic}-{name}"
            found.setdefault(subject, OwnSchema(event_type=route.event_type, subject=subject, schema=schema))
    _require_sent(event_types, {one.event_type for one in found.values()})
    return list(found.values())


def by_event_type(event_types: Sequence[str] = ()) -> dict[str, str]:
    """
    Return event type → schema (JSON text). If ``event_types`` is empty, the mapping contains all event types that this
    service sends. Otherwise it contains exactly ``event_types``, even if this service does not send them.

    Raises :class:`ConfigurationError` if settings are wrong or this service has no signal of one of ``event_types``.
    Raises :class:`SerializationError` if the data classes of an event type cannot be encoded.
    """
    names = event_types or [route.event_type for route in routes() if route.enabled]
    return {name: _codec(name).schema for name in dict.fromkeys(names)}


def _codec(event_type: str) -> EventCodec:
    try:
        return codec_for(OpenEdxPublicSignal.get_signal_by_type(event_type))
    except KeyError:
        raise ConfigurationError(
            f"No signal of type {event_type} is registered in this service: is the module of its signal imported?"
        ) from None


def _require_sent(asked: Iterable[str], sent: set[str]) -> None:
    if missing := [one for one in asked if one not in sent]:
        raise ConfigurationError(f"EVENT_BUS_PRODUCER_CONFIG enables no topic for {', '.join(missing)}.")
