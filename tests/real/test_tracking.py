"""
The published package event-tracking sends events through this package. A worker gives received events back to
event-tracking (use case 8e of the tour in examples/).
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.projects.process import ServiceProcess
from tests.services.bus import RealBus, header

pytestmark = pytest.mark.real

TRACKING_APP = "eventtracking.django.apps.EventTrackingConfig"
EMITTED = "org.openedx.analytics.tracking.event.emitted.v1"
NAME = "edx.course.enrollment.activated"
DATA = {"course_id": "course-v1:edX+DemoX+2026", "mode": "", "count": 0}
EMIT = f"""
from eventtracking.tracker import get_tracker
tracker = get_tracker()
with tracker.context("request", {{"user_id": 7}}):
    tracker.emit({NAME!r}, {DATA!r})
    tracker.emit("one.that.nobody.listed", {{}})
"""


def test_tracking_events_are_sent_by_one_service_and_received_by_another(bus: RealBus, topic: str, group: str) -> None:
    backend = {
        "ENGINE": "eventtracking.backends.event_bus.EventBusRoutingBackend",
        "OPTIONS": {
            "backend_name": "event_bus",
            "backends": {"said": {"ENGINE": "tests.projects.certificates.tracking.Said"}},
        },
    }
    settings: dict[str, Any] = bus.settings(
        INSTALLED_APPS=[
            "tests.projects.certificates",
            "eventtracking.django.apps.EventTrackingConfig",
            "openedx_events",
            "event_bus_kafka",
        ],
        EVENT_BUS_PRODUCER_CONFIG={EMITTED: {topic: {"event_key_field": "tracking_log.name", "enabled": True}}},
        EVENT_TRACKING_ENABLED=True,
        EVENT_TRACKING_BACKENDS={"event_bus": backend},
        SEND_TRACKING_EVENT_EMITTED_SIGNAL=True,
        EVENT_BUS_TRACKING_LOGS=[NAME],
    )
    with ServiceProcess(code=EMIT, settings=settings) as process:
        assert process.end() == 0, process.log
    (record,) = bus.records(topic, 2, seconds=1)
    assert header(record, "ce_type") == EMITTED
    assert (record.key() or b"")[6:] == NAME.encode()
    with ServiceProcess("consume_events", "-t", topic, "-g", group, settings=settings) as process:
        process.wait_for(lambda: process.heard("tracked"))
        assert process.stop() == 0
    (tracked,) = process.heard("tracked")
    event = tracked["event"]
    assert (event["name"], event["data"], event["context"]) == (NAME, DATA, {"user_id": 7})
    assert event["timestamp"].endswith("+00:00")
