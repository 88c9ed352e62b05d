"""A service for tests that has an outbox. It can emit events, relay events, and read events from Kafka."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from time import monotonic, sleep
from typing import Any

import attrs
from confluent_kafka import Message
from django.test import override_settings
from openedx_events.data import EventsMetadata
from openedx_events.learning.signals import CERTIFICATE_CREATED
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka import create_producer
from event_bus_kafka.assembly.relaying import relay_steps
from event_bus_kafka.models import OutboxRecord
from tests.projects.process import PATIENCE, ServiceProcess
from tests.services.bus import CREATED, RealBus, header
from tests.support.examples_of import certificate

KEY_FIELD = "certificate.user.id"


def until(condition: Callable[[], object], *, step: Callable[[], None] = lambda: sleep(0.05)) -> None:
    """Call ``step`` repeatedly until ``condition`` holds."""
    deadline = monotonic() + PATIENCE
    while not condition():
        assert monotonic() < deadline, "the condition did not become true in time"
        step()


@attrs.frozen(kw_only=True)
class Service:
    """A service in this process. Its relays may run in other processes."""

    bus: RealBus
    topic: str
    entry: dict[str, Any]

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Return settings with which processes of the service run."""
        return self.bus.settings(self.topic, EVENT_BUS_PRODUCER_MODE="outbox") | changes

    def process_settings(self, **changes: Any) -> dict[str, Any]:
        return self.settings(**changes) | {"DATABASES": {"default": self.entry}}

    def settings_for(self, *topics: str) -> dict[str, Any]:
        """Return settings with which certificates are sent to all of these topics."""
        entry = {"event_key_field": KEY_FIELD, "enabled": True}
        return self.settings(EVENT_BUS_PRODUCER_CONFIG={CREATED: dict.fromkeys(topics, entry)})

    @contextmanager
    def configured(self) -> Iterator[Service]:
        with override_settings(**self.settings()):
            yield self

    def emit(
        self, user: int = 7, *, topic: str = "", signal: OpenEdxPublicSignal = CERTIFICATE_CREATED, **fields: Any
    ) -> str:
        """Emit an event as a service does; return its id."""
        metadata = EventsMetadata(event_type=signal.event_type)
        create_producer().send(
            signal=signal,
            topic=topic or self.topic,
            event_key_field=KEY_FIELD,
            event_data={"certificate": certificate(user, **fields)},
            event_metadata=metadata,
        )
        return str(metadata.id)

    def emit_many(self, count: int, *, topic: str = "", name: Callable[[int], str] = lambda _: "") -> list[str]:
        """
        Emit ``count`` events with the same key in one transaction; return their ids. ``name`` is a function that
        returns the user's name for the number of an event.
        """
        events = [
            ({"certificate": certificate(7, name=name(number))}, EventsMetadata(event_type=CREATED))
            for number in range(count)
        ]
        create_producer().send_many(
            signal=CERTIFICATE_CREATED, topic=topic or self.topic, event_key_field=KEY_FIELD, events=events
        )
        return [str(metadata.id) for _, metadata in events]

    @property
    def waiting(self) -> int:
        return OutboxRecord.objects.count()

    @contextmanager
    def relay(self) -> Iterator[Any]:
        """Yield a relay in this process. It does a step only when the test calls its method ``step``."""
        with ExitStack() as at_end:
            relay = relay_steps("default", at_end)
            try:
                yield relay
            finally:
                relay.stop(timeout=1)

    def drain(self) -> None:
        """Run a relay until the outbox is empty."""
        with self.relay() as relay:
            until(lambda: not self.waiting, step=relay.step)

    def relay_process(self, *arguments: str, **changes: Any) -> ServiceProcess:
        return ServiceProcess("relay_events", *arguments, settings=self.process_settings(**changes))

    def arrived(self, count: int, topic: str = "") -> list[Message]:
        return self.bus.records(topic or self.topic, count)

    def ids(self, count: int, topic: str = "") -> list[str]:
        """Return the ids of the first ``count`` events on the topic, in order."""
        return [header(record, "ce_id") for record in self.arrived(count, topic)]

    def all_ids(self, topic: str = "") -> list[str]:
        """Return the ids of all events that are on the topic at present, in order and including duplicates."""
        return [header(record, "ce_id") for record in self.bus.records_from(topic or self.topic, 0)]
