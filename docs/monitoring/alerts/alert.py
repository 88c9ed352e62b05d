"""One alert, and the expressions that several share."""

from __future__ import annotations

from enum import Enum

import attrs


class Severity(Enum):
    """How soon somebody has to look; the value is the label."""

    CRITICAL = "critical"
    """Now: events are lost, or none go on."""
    WARNING = "warning"
    """Today: events wait or fail, and none is lost as yet."""


@attrs.frozen(kw_only=True)
class Alert:
    """One rule. Texts may have ``{{ $labels.x }}`` and ``{{ $value }}`` of the expression."""

    name: str
    expression: str
    lasting: str
    """For how long the expression has to hold before the alert fires, as Prometheus writes it."""
    severity: Severity
    summary: str
    description: str
    section: str
    """Title of the section of the runbook that says what to do."""


def grown(counter: str, labels: str, minutes: int = 15) -> str:
    """
    Return an expression for what a counter has grown by lately, if it has, summed by ``labels``.

    A series that begins is counted from 0 on: a counter appears with its first event, which ``increase`` does not see.
    So are counters that Prometheus sees for the first time, though they have grown before.
    """
    window = f"{minutes}m"
    begun = f"({counter} unless {counter} offset {window})"
    return f"sum by ({labels}) (increase({counter}[{window}]) > 0 or {begun} > 0)"


def gone(gauge: str, labels: str) -> str:
    """Return an expression for a gauge that somebody told within the last 6 hours, and nobody tells now."""
    return f"count by ({labels}) (max_over_time({gauge}[6h])) unless count by ({labels}) ({gauge})"
