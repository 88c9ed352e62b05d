"""Converts the metrics of this process into lines of history. Imported only if the app is installed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from event_bus_kafka.models.history import Line, Sums
from event_bus_kafka.telemetry import metrics
from event_bus_kafka.telemetry.metrics import Metric
from event_bus_kafka.telemetry.tallies import Labels, Tallies

_OUTCOMES: dict[Metric, str] = {
    metrics.EVENTS_DELIVERED: "delivered",
    metrics.EVENTS_APPENDED: "appended",
    metrics.EVENTS_SPILLED: "spilled",
    metrics.EVENTS_LOST: "lost",
    metrics.EVENTS_REJECTED: "rejected",
    metrics.ROWS_SENT: "relayed",
    metrics.ROWS_PARKED: "parked",
    metrics.RECORDS_RECEIVED: "received",
    metrics.RECORDS_RETRIED: "retried",
    metrics.RECORDS_DEAD_LETTERED: "dead-lettered",
    metrics.RECORDS_SKIPPED: "skipped",
    metrics.LATENCY: "done",
    metrics.DUPLICATES_SKIPPED: "duplicate",
}
"""
Metric → the outcome that it counts. ``RECEIVER_SECONDS`` is not here, because it has the outcome as a label.
"""
_LONGEST_TYPE, _LONGEST_RECEIVER = 255, 500


def counted(tallies: Tallies, service: str) -> Mapping[Line, Sums]:
    """
    Return line of history → sums since this process started, except ``longest``, which covers the time since the
    previous call.
    """
    found: defaultdict[Line, list[Sums]] = defaultdict(list)
    for (metric, labels), tally in tallies.read(forget_longest=True).items():
        if metric in _OUTCOMES or metric is metrics.RECEIVER_SECONDS:
            line = _line(service, metric, labels)
            found[line].append(Sums(count=tally.count, seconds=tally.seconds, longest=tally.longest))
    return {line: Sums.total(sums) for line, sums in found.items()}


def totals(tallies: Tallies) -> Mapping[str, int]:
    """
    Return outcome → number of events with this outcome since this process started. Outcomes of single receivers are not
    counted.
    """
    found: Counter[str] = Counter()
    for (metric, _), tally in tallies.read().items():
        if outcome := _OUTCOMES.get(metric):
            found[outcome] += tally.count
    return found


def _line(service: str, metric: Metric, labels: Labels) -> Line:
    values = dict(zip(metric.labels, labels, strict=True))
    return Line(
        service=service[:_LONGEST_TYPE],
        event_type=values["event_type"][:_LONGEST_TYPE],
        receiver=values.get("receiver", "")[:_LONGEST_RECEIVER],
        outcome=_OUTCOMES.get(metric) or values["outcome"],
    )
