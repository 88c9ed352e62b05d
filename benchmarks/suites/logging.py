"""How much a measured process logs. Lines are formatted and go to ``/dev/null``."""

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
"""INFO with the audit lines that are on by default; INFO without these; WARNING, which nothing of this reaches."""


def named(name: str, logging: str) -> str:
    """Return a case's name, with what it logs where that is not the default."""
    return name if logging == AUDIT else f"{name} ({logging})"
