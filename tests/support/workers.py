"""Runs workers of the test service that receive certificates. Each worker has a separate process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.projects.process import ServiceProcess
from tests.services.bus import Bus

OURS_FIRST = {"INSTALLED_APPS": ["tests.projects.certificates", "event_bus_kafka", "openedx_events"]}
OURS_LAST = {"INSTALLED_APPS": ["tests.projects.certificates", "openedx_events", "event_bus_kafka"]}


def worker(
    bus: Bus,
    topic: str,
    group: str,
    receivers: str,
    environment: Mapping[str, str] | None = None,
    lanes: int = 1,
    before: Any = (),
    **changes: Any,
) -> ServiceProcess:
    """
    Start a worker; return its process. The process is a context manager, which kills the worker at the end of a
    ``with`` block. The words in ``before`` precede the command of the worker.
    """
    defaults: dict[str, Any] = {
        "EVENT_BUS_KAFKA_RETRY": {"first_delay": 0.1, "factor": 1},
        "EVENT_BUS_KAFKA_CONSUMER_CONCURRENCY": lanes,
    }
    arguments = ("consume_events", "-t", topic, "-g", group)
    settings = bus.settings(**(defaults | changes))
    return ServiceProcess(*arguments, settings=settings, receivers=receivers, environment=environment, before=before)
