"""A panel of the dashboard, with queries that the dashboard's variables filter."""

from __future__ import annotations

import re
from enum import Enum

import attrs

from event_bus_kafka.telemetry.metrics import CATALOGUE, PREFIX, MetricKind

FILTERS = ("group", "topic")
"""Labels for which the dashboard has variables, besides `job`."""

LABELS = {
    name: metric.labels
    for metric in CATALOGUE
    for name in (
        [f"{metric.name}_{part}" for part in ("bucket", "sum", "count")]
        if metric.kind is MetricKind.HISTOGRAM
        else [metric.name]
    )
}
"""Name of a series → its labels."""


class Unit(Enum):
    """Units of Grafana. Each value is the id of a unit."""

    NUMBER = "short"
    SECONDS = "s"
    BYTES = "bytes"
    PER_SECOND = "cps"
    SHARE = "percentunit"


@attrs.frozen
class Query:
    """An expression, and a pattern for the names of its series in the legend."""

    expression: str
    legend: str

    @property
    def filtered(self) -> str:
        """The expression, restricted to the series that the variables select."""
        return re.sub(rf"({PREFIX}\w+)(?:{{(.*?)}})?", _with_filters, self.expression)


@attrs.frozen
class Panel:
    """A graph, or a number."""

    title: str
    description: str
    """One or two sentences about the panel's meaning, and about the reaction to a problem."""
    queries: tuple[Query, ...]
    unit: Unit = Unit.NUMBER
    is_number: bool = False
    """Whether the panel shows only the last number of each series, and no graph."""
    alarming_from: float | None = None
    """The value from which on the number is red; None: it is never red."""


def _with_filters(found: re.Match[str]) -> str:
    name, given = found.groups()
    chosen = [f'{label}=~"${label}"' for label in ("job", *FILTERS) if label in ("job", *LABELS[name])]
    return f"{name}{{{','.join([*chosen, given] if given else chosen)}}}"
