"""The services of the tour."""

from __future__ import annotations

from importlib import import_module
from typing import Any

SERVICES = (
    "lms",
    "cms",
    "discovery",
    "credentials",
    "commerce",
    "licences",
    "enterprise_catalog",
    "exams",
    "site_cache",
    "reporting",
    "analytics",
    "recommender",
)

COMPACTED = {"demo-catalog-course-run-lifecycle", "demo-catalog-program-lifecycle"}
"""Topics that a real Kafka compacts: it keeps the last event of each key, so a cache can be rebuilt at any time."""


def settings_of(service: str) -> Any:
    """Return a service's settings. Values that depend on the environment are read only at the first call."""
    return import_module(f"examples.{service}.settings")


def topics_of(service: str) -> list[str]:
    """
    Return the full names of the topics that the service's worker reads. The worker's consumer group has the service's
    name.
    """
    settings = settings_of(service)
    names: list[str] = settings.EVENT_BUS_KAFKA_SUBSCRIPTIONS[service]
    return [f"{settings.EVENT_BUS_TOPIC_PREFIX}-{name}" for name in names]
