"""The class of alerts, and expressions that several alerts use."""

from __future__ import annotations

from enum import Enum

import attrs


class Severity(Enum):
    """The urgency of an alert. The value becomes a label."""

    CRITICAL = "critical"
    """Somebody must look at once, because events are lost or cannot go on."""
    WARNING = "warning"
    """Somebody must look today. Events wait or fail, but none is lost yet."""


@attrs.frozen(kw_only=True)
class Alert:
    """An alert. Texts may contain the expression's ``{{ $labels.x }}`` and ``{{ $value }}``."""

    name: str
    expression: str
    lasting: str
    """Time for which the expression must hold before the alert fires, in Prometheus's notation."""
    severity: Severity
    summary: str
    description: str
    section: str
    """Title of the runbook's section about this alert."""


def grown(counter: str, labels: str, minutes: int = 15) -> str:
    """
    Return an expression for the growth of a counter in the last ``minutes``, summed by ``labels``. Without growth, the
    expression has no result.

    ``increase`` does not see the first event of a counter, because a series begins with this event. Therefore a series
    that began in this time, and has not grown since, counts with its value. If Prometheus sees an old counter for the
    first time, this value contains older events, too.
    """
    window = f"{minutes}m"
    begun = f"({counter} unless {counter} offset {window})"
    return f"sum by ({labels}) (increase({counter}[{window}]) > 0 or {begun} > 0)"


def gone(gauge: str, labels: str) -> str:
    """
    Return an expression for the values of ``labels`` with which ``gauge`` was exported in the last 6 hours, but is not
    exported now.
    """
    return f"count by ({labels}) (max_over_time({gauge}[6h])) unless count by ({labels}) ({gauge})"
