"""The clients of Kafka and of the schema registry."""

from __future__ import annotations

import attrs

from event_bus_kafka.telemetry.events.lifecycle_event import LifecycleEvent


@attrs.frozen(kw_only=True)
class ClientErrorReported(LifecycleEvent):
    """A Kafka client reported an error. It tries again by itself unless the error is fatal."""

    client: str
    """``producer`` or ``consumer``."""
    error: Exception
    code: str
    kind: str
    """A value of ``Trouble``."""
    fatal: bool


@attrs.frozen(kw_only=True)
class ProducerStatistics(LifecycleEvent):
    """The state of a producer's client, at the interval of the option ``statistics.interval.ms``; never without it."""

    queued: int
    """Number of records without a confirmation by Kafka, or with a delivery report that was not handed out yet."""
    queued_bytes: int
    sent: int
    """Number of records sent since the client was created, repetitions included."""
    brokers: int
    """Number of brokers that the client knows."""
    brokers_up: int


CONNECTED = "connected"


@attrs.frozen(kw_only=True)
class ConnectionChanged(LifecycleEvent):
    """
    The state of a consumer's connection to Kafka has changed; or a producer of this process is connected again, after
    errors that said it was not. Retries do not emit it again.
    """

    client: str
    state: str
    """``connected``, ``unreachable`` or ``unauthenticated``."""
    reason: str
    """The text of Kafka or its client; empty if connected."""


@attrs.frozen(kw_only=True)
class RegistryFailed(LifecycleEvent):
    """The schema registry refused a request or did not answer."""

    error: Exception
    retriable: bool
