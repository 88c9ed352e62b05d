"""Between events a worker's thread is made as clean as Django makes a web worker between requests."""

from __future__ import annotations

from django.db import connections
from edx_django_utils.cache import RequestCache


def clean() -> None:
    """Empty the request caches, and close connections that are unusable or too old, on every alias."""
    RequestCache.clear_all_namespaces()
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()
