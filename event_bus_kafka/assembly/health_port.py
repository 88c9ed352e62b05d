"""Opens the health port of a worker or relay."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import ExitStack
from importlib import import_module
from typing import Any

from event_bus_kafka.conf.routes import full_topic, routes
from event_bus_kafka.conf.settings import PORT, settings
from event_bus_kafka.errors import ConfigurationError
from event_bus_kafka.kafka.factory import CLIENT_VERSIONS
from event_bus_kafka.telemetry.metrics import BUILD_INFO
from event_bus_kafka.telemetry.prometheus import MetricsPage
from event_bus_kafka.telemetry.samples import Sample, counted, gauged
from event_bus_kafka.telemetry.state import running
from event_bus_kafka.telemetry.tallies import tallies
from event_bus_kafka.worker.health_port import Pages, health_port


def port_of(given: Any) -> int | None:
    """
    Return the port number ``given``. If ``given`` is None, return the port in the settings, which may be None. Raises
    :class:`ConfigurationError`.
    """
    if given is None:
        return settings.health_port
    try:
        return PORT.read(int(given))
    except (TypeError, ValueError):
        raise ConfigurationError(f"health_port must be {PORT.expects}, not {given!r}.") from None


def open_health_port(port: int | None, at_end: ExitStack) -> None:
    """Answer requests on ``port`` until ``at_end`` is closed. Does nothing if ``port`` is None or 0."""
    if port:
        pages = Pages(running, MetricsPage(samples))
        is_open = at_end.enter_context(health_port(settings.health_host, port, pages))
        running.health_port = port if is_open else None


def samples() -> Iterator[Sample]:
    """Yield the samples of this process's metrics."""
    version = str(import_module("event_bus_kafka").__version__)  # late: the package's entry points import this module
    yield Sample(BUILD_INFO, (version, platform.python_version(), *CLIENT_VERSIONS), 1)
    yield from counted(tallies.read())
    yield from gauged(running, _known_topics)


def _known_topics() -> set[str]:
    return {full_topic(route.topic) for route in routes()}
