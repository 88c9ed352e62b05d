"""The clients of Kafka and of the schema registry."""

from __future__ import annotations

import attrs

from event_bus_kafka.telemetry.events.lifecycle_event import LifecycleEvent


@attrs.frozen(kw_only=True)
class ClientErrorReported(LifecycleEvent):
    """The Kafka client reported trouble; it goes on trying by itself unless the error is fatal."""

    client: str
    """``producer`` or ``consumer``."""
    error: Exception
    code: str
    kind: str
    """A value of :class:`~event_bus_kafka.errors.Trouble`."""
    fatal: bool


@attrs.frozen(kw_only=True)
class ProducerStatistics(LifecycleEvent):
    """The state of a producer's client, as often as the option ``statistics.interval.ms`` says; without it never."""

    queued: int
    """Records that wait for Kafka's confirmation, or whose report waits to be handed out."""
    queued_bytes: int
    sent: int
    """Records since the client was made, repetitions too."""
    brokers: int
    """Known ones."""
    brokers_up: int


CONNECTED = "connected"


@attrs.frozen(kw_only=True)
class ConnectionChanged(LifecycleEvent):
    """A consumer's connection to Kafka is another than before: told once per change, however often it is retried."""

    client: str
    state: str
    """``connected``, ``unreachable`` or ``unauthenticated``."""
    reason: str
    """What Kafka or its client said; empty where it is connected."""


@attrs.frozen(kw_only=True)
class RegistryFailed(LifecycleEvent):
    """The schema registry refused a request or did not answer."""

    error: Exception
    retriable: bool
