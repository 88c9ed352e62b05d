"""All alert rules, in the format that Prometheus reads."""

from __future__ import annotations

import os
from typing import Any

from docutils.nodes import make_id

from docs.monitoring.alerts import consuming, receiving, relaying, sending, servers
from docs.monitoring.alerts.alert import Alert

RUNBOOK = os.environ.get("RUNBOOK") or "https://docs.example.com/event-bus/operating.html"
"""Address of the page made from `docs/operating.rst`. `make dashboards RUNBOOK=…` sets another address."""

ALERTS: dict[str, tuple[Alert, ...]] = {
    "event-bus-sending": sending.ALERTS,
    "event-bus-relays": relaying.ALERTS,
    "event-bus-workers": consuming.ALERTS,
    "event-bus-receivers": receiving.ALERTS,
    "event-bus-servers": servers.ALERTS,
}
"""Name of a group → its alerts."""


def rules() -> dict[str, Any]:
    """Return the content of the file of rules."""
    return {"groups": [{"name": name, "rules": [_rule(one) for one in alerts]} for name, alerts in ALERTS.items()]}


def runbook_url(alert: Alert) -> str:
    """Return the address of the runbook's section about an alert."""
    return f"{RUNBOOK}#{make_id(alert.section)}"


def _rule(alert: Alert) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": alert.expression,
        "for": alert.lasting,
        "labels": {"severity": alert.severity.value},
        "annotations": {
            "summary": alert.summary,
            "description": alert.description,
            "runbook_url": runbook_url(alert),
        },
    }
