"""Creates probes from the settings."""

from __future__ import annotations

from contextlib import ExitStack, closing
from time import monotonic

from event_bus_kafka.assembly.schema_registry import registering, subjects
from event_bus_kafka.assembly.sending import producer, shutdown, spill
from event_bus_kafka.assembly.topics import admin
from event_bus_kafka.conf.client_options import consumer_options
from event_bus_kafka.conf.routes import full_topic
from event_bus_kafka.kafka.reader import Reader
from event_bus_kafka.operations.probing.probe import Probe
from event_bus_kafka.operations.probing.probe_event import PROBE_TOPIC

_GROUP = "probe_event_bus"
"""A group id, which Kafka's client requires. No client joins this group, and nothing is ever committed for it."""
_SPILL = 2.0
"""Time limit in seconds for storing unconfirmed events in the outbox. Events that are not stored then are dropped."""


def probe(at_end: ExitStack, *, timeout: float, slow: float) -> Probe:
    """
    Return a probe; ``at_end`` closes its clients. Raises :class:`ConfigurationError`.

    A leg is one part of the way of the probe's event, for example from the outbox to Kafka. ``timeout``: seconds after
    which the probe stops waiting for a leg. ``slow``: seconds after which a leg counts as failed, even if it succeeds
    later.
    """
    options = consumer_options(_GROUP)
    return Probe(
        topic=full_topic(PROBE_TOPIC),
        connect=lambda: Reader(options, timeout=timeout),
        subjects=at_end.enter_context(closing(subjects())),
        registry=at_end.enter_context(closing(registering())),
        producer=producer(),
        topics_appear=lambda: not admin().has_controller(timeout=timeout),
        confirm=_confirm,
        timeout=timeout,
        slow=slow,
    )


def _confirm(seconds: float) -> None:
    shutdown.confirm(monotonic() + seconds)
    spill.finish(_SPILL)  # drop events that the outbox cannot store: they are probes
