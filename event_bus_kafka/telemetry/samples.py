"""The current values of all metrics of the catalogue in this process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping

import attrs

from event_bus_kafka.telemetry import metrics
from event_bus_kafka.telemetry.metrics import CATALOGUE, Metric, MetricKind
from event_bus_kafka.telemetry.state import ConsumerState, RelayState, Running
from event_bus_kafka.telemetry.tallies import OTHER, Key, Labels, Tally

Value = float | Tally
"""A float for counters and gauges, a tally for histograms."""


@attrs.frozen
class Sample:
    """The value of a metric for given labels."""

    metric: Metric
    labels: Labels
    value: Value


def counted(sums: Mapping[Key, Tally]) -> Iterator[Sample]:
    """Yield a sample for each counter and each histogram in ``sums``."""
    of_metrics: dict[Metric, list[tuple[Labels, Tally]]] = {}
    for (metric, labels), tally in sums.items():
        of_metrics.setdefault(metric, []).append((labels, tally))
    for metric in CATALOGUE:
        for labels, tally in of_metrics.get(metric.counted_by or metric.seconds_of or metric, ()):
            if metric.kind is MetricKind.HISTOGRAM:
                yield Sample(metric, labels, tally)
            elif metric.kind is MetricKind.COUNTER:
                yield Sample(metric, labels, tally.seconds if metric.seconds_of else tally.count)


def gauged(running: Running, known_topics: Callable[[], Collection[str]]) -> Iterator[Sample]:
    """
    Yield the gauges of this process, its workers and its relays, without blocking. ``known_topics`` returns the full
    names of configured topics. Rows of all other topics are added up under the label ``other``.
    """
    events, size = running.spill()
    yield Sample(metrics.SPILL_EVENTS, (), events)
    yield Sample(metrics.SPILL_BYTES, (), size)
    for kind, count in running.neglects().items():
        yield Sample(metrics.NEGLECTS, (kind,), count)
    for source in running.consumers:
        yield from _of_consumer(source())
    for relay in running.relays:
        yield Sample(metrics.RELAY_READY, (relay.database,), relay.is_alive and not relay.obstacles)
        if state := relay.last:
            yield from _of_relay(state, known_topics())


def _of_consumer(state: ConsumerState) -> Iterator[Sample]:
    group = state.group
    for metric, value in (
        (metrics.IN_FLIGHT, state.in_flight),
        (metrics.RETRIES_WAITING, state.retries_waiting),
        (metrics.HELD_KEYS, state.held_keys),
        (metrics.LANES, state.lanes),
        (metrics.LANES_AWAKE, state.lanes_awake),
        (metrics.OPEN_CIRCUITS, len(state.open_circuits)),
        (metrics.PAUSED_RECEIVERS, len(state.paused_receivers)),
        (metrics.SLOW_RECEIVERS, len(state.slow_receivers)),
        (metrics.WORKER_READY, state.is_alive and not state.obstacles),
    ):
        yield Sample(metric, (group,), value)
    for one in state.partitions:
        labels = (group, one.topic, str(one.partition))
        if one.lag is not None:
            yield Sample(metrics.LAG, labels, one.lag)
        yield Sample(metrics.LAG_SECONDS, labels, one.lag_age or 0.0)
        yield Sample(metrics.WINDOW_FILL, labels, one.window_fill)
        yield Sample(metrics.FLOODED, labels, (one.topic, one.partition) in state.flooded)


def _of_relay(state: RelayState, known: Collection[str]) -> Iterator[Sample]:
    depth, held = Counter[str](dict.fromkeys(known, 0)), dict[str, float]()
    for topic, rows in state.depth.items():
        depth[topic if topic in known else OTHER] += rows
    for one in state.held_topics:
        topic = one.topic if one.topic in known else OTHER
        held[topic] = max(held.get(topic, 0.0), one.seconds)
    for topic, rows in depth.items():
        yield Sample(metrics.OUTBOX_DEPTH, (state.database, topic), rows)
    for topic, seconds in held.items():
        yield Sample(metrics.TOPIC_HELD, (state.database, topic), seconds)
    yield Sample(metrics.OUTBOX_OLDEST, (state.database,), state.oldest_age or 0.0)
    yield Sample(metrics.OUTBOX_PARKED, (state.database,), state.parked)
