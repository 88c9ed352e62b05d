"""Lifecycle events about the clients of Kafka and of the schema registry."""

from __future__ import annotations

import attrs

from event_bus_kafka.telemetry.events.lifecycle_event import LifecycleEvent


@attrs.frozen(kw_only=True)
class ClientErrorReported(LifecycleEvent):
    """A Kafka client reported an error. The client retries by itself unless the error is fatal."""

    client: str
    """``producer``, ``consumer`` or ``admin``."""
    error: Exception
    code: str
    kind: str
    """The kind of trouble: a value of ``Trouble``."""
    fatal: bool
    topic: str = ""
    """Full name of the topic that the error is about; empty if the client names none."""


@attrs.frozen(kw_only=True)
class ProducerStatistics(LifecycleEvent):
    """
    The state of a producer's client. Emitted every ``statistics.interval.ms`` milliseconds, if this option of the
    producer is set.
    """

    queued: int
    """Number of records that Kafka has not confirmed, or whose delivery report was not processed yet."""
    queued_bytes: int
    sent: int
    """Number of records sent since the client was created. A record that was sent repeatedly counts each time."""
    brokers: int
    """Number of brokers that the client knows."""
    brokers_up: int


CONNECTED = "connected"


@attrs.frozen(kw_only=True)
class ConnectionChanged(LifecycleEvent):
    """
    The state of a consumer's connection to Kafka has changed, or a producer of this process has reached Kafka again
    after an outage. Never emitted for failed attempts to reconnect.
    """

    client: str
    state: str
    """``connected``, ``unreachable`` or ``unauthenticated``."""
    reason: str
    """The reason as text, for example the client's error; empty if the state is ``connected``."""


@attrs.frozen(kw_only=True)
class RegistryFailed(LifecycleEvent):
    """The schema registry refused a request or did not answer."""

    error: Exception
    retriable: bool
