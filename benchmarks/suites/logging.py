"""The levels of logging with which a process is measured. Log lines are formatted and written to ``/dev/null``."""

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
"""
Name of a level of logging → the settings for it. The levels are INFO with audit lines (the default), INFO without audit
lines, and WARNING. At WARNING, the measured processes log nothing.
"""


def named(name: str, logging: str) -> str:
    """Return the name of a case, which contains the level of logging unless it is the default level."""
    return name if logging == AUDIT else f"{name} ({logging})"
