"""The levels of logging of a measured process. Log lines are formatted and written to ``/dev/null``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_AUDIT = "EVENT_BUS_KAFKA_AUDIT_LOGGING_ENABLED"
AUDIT = "audit"
LOGGING: Mapping[str, Mapping[str, Any]] = {
    AUDIT: {_AUDIT: True},
    "no-audit": {_AUDIT: False},
    "warning": {_AUDIT: True, "LOG_LEVEL": "WARNING"},
}
"""INFO with audit lines, which is the default; INFO without audit lines; WARNING, at which nothing is logged here."""


def named(name: str, logging: str) -> str:
    """Return a case's name, with the level of logging unless it is the default."""
    return name if logging == AUDIT else f"{name} ({logging})"
