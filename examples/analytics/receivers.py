"""The receivers of analytics."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver
from openedx_events.analytics.data import TrackingLogData
from openedx_events.analytics.signals import TRACKING_EVENT_EMITTED
from openedx_events.data import EventsMetadata

from examples.analytics.models import Click


@receiver(TRACKING_EVENT_EMITTED)
def count(tracking_log: TrackingLogData, metadata: EventsMetadata, **_: Any) -> None:
    """Store a tracking event. If an event is delivered twice, it has the same id both times, so it is stored once."""
    values = {"name": tracking_log.name, "timestamp": tracking_log.timestamp}
    Click.objects.get_or_create(event_id=metadata.id, defaults=values)
