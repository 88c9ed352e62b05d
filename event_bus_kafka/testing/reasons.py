"""Explains why no event of an event type was captured. Most reasons are in the settings."""

from __future__ import annotations

from difflib import get_close_matches

from django.apps import apps
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka.conf.settings import settings
from event_bus_kafka.dispatching.dispatch import is_enabled, signal_named
from event_bus_kafka.wire.deletion import record_deleted


def signal_of(event: OpenEdxPublicSignal | str) -> OpenEdxPublicSignal:
    """
    Return the signal for an event type, or ``event`` itself if it is a signal. Raises ValueError if the type is not
    registered.
    """
    if not isinstance(event, str):
        return event
    signal = signal_named(event)
    if signal is None:
        known = [one.event_type for one in OpenEdxPublicSignal.all_events()]
        nearest = get_close_matches(event, known, n=1)
        hint = f"did you mean {nearest[0]!r}?" if nearest else "is the module of its signal imported?"
        raise ValueError(f"No signal of type {event!r} is registered in this service: {hint}")
    return signal


def reasons_against(signal: OpenEdxPublicSignal, emitted: int) -> list[str]:
    """
    Return sentences that explain why no event of ``signal`` was sent to the bus. ``emitted``: how often the service
    emitted the event.
    """
    if signal is record_deleted:
        return ["send_tombstone was not called for a topic that is enabled in EVENT_BUS_PRODUCER_CONFIG."]
    how_often = f"It was emitted {emitted} time{'s' * (emitted != 1)}" if emitted else "It was not emitted"
    topics = settings.producer_config.get(signal.event_type, {})
    enabled = [topic for topic, entry in topics.items() if entry.get("enabled") is True]
    if not apps.is_installed("openedx_events"):
        return [f"{how_often}; 'openedx_events' is not in INSTALLED_APPS, so nothing goes to the event bus."]
    if not is_enabled(signal):
        return [f"{how_often}; the signal is disabled here: OpenEdxEventsTestMixin needs it in ENABLED_OPENEDX_EVENTS."]
    if not topics:
        return [f"{how_often}; EVENT_BUS_PRODUCER_CONFIG has no entry for it, so it is not sent."]
    if not enabled:
        return [f"{how_often}; in EVENT_BUS_PRODUCER_CONFIG none of its topics is enabled ({', '.join(topics)})."]
    return [f"{how_often}. Its topics: {', '.join(enabled)}."]
