"""A single call sends many events."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import override_settings
from openedx_events.data import EventsMetadata
from openedx_events.learning.signals import CERTIFICATE_CREATED

from event_bus_kafka.sandbox import Sandbox
from event_bus_kafka.telemetry.events import EventRejected, RecordDelivered
from tests.services.bus import CREATED, SandboxBus
from tests.support.examples_of import certificate
from tests.support.sending import own_producer
from tests.support.watching import watched


@pytest.mark.django_db(transaction=True)
def test_send_many_rejects_only_the_event_that_cannot_be_encoded(sandbox: Sandbox) -> None:
    data: list[dict[str, Any]] = [{"certificate": one} for one in (certificate(1), "none", certificate(2))]
    events = [(one, EventsMetadata(event_type=CREATED)) for one in data]
    first, wrong, last = (str(metadata.id) for _, metadata in events)
    with watched(EventRejected, RecordDelivered) as seen:
        with override_settings(**SandboxBus(sandbox).settings("t")), own_producer() as producer:
            producer.send_many(
                signal=CERTIFICATE_CREATED, topic="t", event_key_field="certificate.user.id", events=events
            )
    fates = {event.event_id: type(event) for event in seen}
    assert [fates.get(one) for one in (first, wrong, last)] == [RecordDelivered, EventRejected, RecordDelivered]
