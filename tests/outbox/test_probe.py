"""
A probe sends its event through the outbox. If a relay runs, the probe succeeds. If no relay runs, the probe says that
the relay is missing.
"""

from __future__ import annotations

import pytest

from event_bus_kafka.operations.probing.probe_event import PROBE_TOPIC
from tests.support.outbox_service import Service, until
from tests.support.probe_command import probed

pytestmark = pytest.mark.real


def test_a_probe_through_the_outbox_succeeds_only_if_a_relay_runs(sqlite_service: Service) -> None:
    prefix = {"EVENT_BUS_TOPIC_PREFIX": sqlite_service.topic}
    sqlite_service.bus.create_topic(f"{sqlite_service.topic}-{PROBE_TOPIC}")
    settings = sqlite_service.settings(**prefix)
    found = probed(settings, "--timeout", "0.5")
    assert list(found["legs"]) == ["topic", "registry", "outbox", "relay"]
    assert "is manage.py relay_events running" in found["legs"]["relay"]
    assert (found["failed"], sqlite_service.waiting) == ("relay", 1)

    with sqlite_service.relay_process(**prefix) as relay:
        until(lambda: not sqlite_service.waiting)
        found = probed(settings)
        assert relay.stop() == 0
    assert found["legs"] == dict.fromkeys(["topic", "registry", "outbox", "relay", "receive"], "")
