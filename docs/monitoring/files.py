"""The texts of the generated files."""

from __future__ import annotations

import json
from pathlib import Path

import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from docs.monitoring.alerts.rules import rules
from docs.monitoring.dashboard.layout import dashboard

FOLDER = Path(__file__).parent.parent / "operating"


def texts() -> dict[str, str]:
    """Return name → text of each file in `docs/operating/`."""
    return {
        "dashboard.json": json.dumps(dashboard(), cls=JSONEncoder, indent=1, sort_keys=True) + "\n",
        "alerts.yml": f"# Made by `make dashboards`.\n{yaml.safe_dump(rules(), sort_keys=False, width=120)}",
    }
