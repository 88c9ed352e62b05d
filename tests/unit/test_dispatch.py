"""An event goes to its receivers."""

from __future__ import annotations

from typing import Any

from asgiref.sync import markcoroutinefunction
from openedx_events.data import EventsMetadata
from openedx_events.learning.signals import CERTIFICATE_CREATED

from event_bus_kafka.consuming.dispatch import Receiver, dispatch
from event_bus_kafka.wire.records import Event
from tests.examples_of import certificate


def test_a_receiver_that_is_only_marked_as_async_is_awaited() -> None:
    """Wrappers and callable objects are; Python 3.11's inspect does not know the mark."""
    ran: list[int] = []

    async def receive(**_: Any) -> None:
        ran.append(1)

    wrapped = markcoroutinefunction(lambda **arguments: receive(**arguments))
    metadata = EventsMetadata(event_type=CERTIFICATE_CREATED.event_type)
    event = Event(signal=CERTIFICATE_CREATED, data={"certificate": certificate()}, metadata=metadata)
    assert dispatch(event, [Receiver(wrapped)]) == []
    assert ran == [1]
