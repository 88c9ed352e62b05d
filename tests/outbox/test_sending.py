"""Events wait in the outbox and leave through a relay, on each database (case 29 in mode outbox)."""

from __future__ import annotations

import pytest
from django.db import transaction

from tests.outbox.service import Service

pytestmark = pytest.mark.real


def test_a_committed_event_arrives_as_if_sent_directly(service: Service) -> None:
    with transaction.atomic():
        sent = service.emit()
        assert service.waiting == 1
    service.drain()
    assert service.bus.event_ids(service.topic, 1) == [sent]
