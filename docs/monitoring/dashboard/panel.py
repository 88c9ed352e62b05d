"""One panel of the dashboard, and how its queries follow the variables."""

from __future__ import annotations

import re
from enum import Enum

import attrs

from event_bus_kafka.telemetry.metrics import CATALOGUE, PREFIX, MetricKind

FILTERS = ("group", "topic")
"""Labels that the dashboard has variables for, besides `job`."""

LABELS = {
    name: metric.labels
    for metric in CATALOGUE
    for name in (
        [f"{metric.name}_{part}" for part in ("bucket", "sum", "count")]
        if metric.kind is MetricKind.HISTOGRAM
        else [metric.name]
    )
}
"""The labels of each series, by its name."""


class Unit(Enum):
    """Units of Grafana; the value is its id."""

    NUMBER = "short"
    SECONDS = "s"
    BYTES = "bytes"
    PER_SECOND = "cps"
    SHARE = "percentunit"


@attrs.frozen
class Query:
    """One expression, and how its series are named."""

    expression: str
    legend: str

    @property
    def filtered(self) -> str:
        """The expression, with only those series that the variables choose."""
        return re.sub(rf"({PREFIX}\w+)(?:{{(.*?)}})?", _with_filters, self.expression)


@attrs.frozen
class Panel:
    """A graph, or a number."""

    title: str
    description: str
    """One or two sentences: what it shows, and what to do about it."""
    queries: tuple[Query, ...]
    unit: Unit = Unit.NUMBER
    is_number: bool = False
    """Whether it shows the last number of each series alone."""
    alarming_from: float | None = None
    """The value from which on it is red."""


def _with_filters(found: re.Match[str]) -> str:
    name, given = found.groups()
    chosen = [f'{label}=~"${label}"' for label in ("job", *FILTERS) if label in ("job", *LABELS[name])]
    return f"{name}{{{','.join([*chosen, given] if given else chosen)}}}"
