"""The check of connection pools. A pool that is too small makes events, pauses and the outbox wait for connections."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage
from django.db import connections

from event_bus_kafka.checks.catalogue import warning_message
from event_bus_kafka.conf.settings import settings
from event_bus_kafka.errors import ConfigurationError

BESIDE_LANES = 2
"""Number of threads that need a connection, besides the lanes: housekeeping, and the thread that spills events."""
_DEFAULT = 4
"""Number of connections in psycopg's pool if the pool's options do not set it."""


def check_pools(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """
    If EVENT_BUS_CONSUMER names this package, warn if Django's pool (``OPTIONS = {"pool": …}``) has fewer connections
    than the threads of a worker may need.
    """
    try:
        is_ours = (settings.consumer or "").startswith("event_bus_kafka.") and settings.consumers_enabled
        needed = settings.consumer_concurrency + BESIDE_LANES
    except ConfigurationError:  # another check reports this error
        return []
    sizes = {alias: _most(connections.settings[alias]["OPTIONS"].get("pool")) for alias in connections}
    return [
        warning_message(
            "W010",
            f"The pool of database {alias!r} has {most} connections, and a worker may need {needed}.",
            hint=f"A worker needs one per lane (EVENT_BUS_KAFKA_CONSUMER_CONCURRENCY) and {BESIDE_LANES} more: set a "
            "higher 'max_size' of the pool, or use fewer lanes.",
        )
        for alias, most in sizes.items()
        if is_ours and most is not None and most < needed
    ]


def _most(pool: Any) -> int | None:
    """Return the maximum number of a pool's connections; None: no pool. ``pool``: the option of the database."""
    if not pool:
        return None
    options = pool if isinstance(pool, dict) else {}
    return int(options.get("max_size") or options.get("min_size", _DEFAULT))
