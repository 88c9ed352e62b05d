"""All rows of the dashboard, in their order."""

from __future__ import annotations

from docs.monitoring.dashboard import consuming_rows, health_row, sending_rows
from docs.monitoring.dashboard.panel import Panel

ROWS: dict[str, tuple[Panel, ...]] = {
    "Health": health_row.HEALTH,
    "Sending": sending_rows.SENDING,
    "Outbox and relays": sending_rows.RELAYS,
    "Consuming": consuming_rows.CONSUMING,
    "Receivers": consuming_rows.RECEIVERS,
    "Dead letters": consuming_rows.DEAD_LETTERS,
    "Clients": health_row.CLIENTS,
}
"""Title of a row → its panels."""
