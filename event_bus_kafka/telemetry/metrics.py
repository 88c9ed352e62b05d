"""
The catalogue of metrics, from which ``/metrics`` and the reference page are generated. Counters and histograms are kept
as :mod:`~event_bus_kafka.telemetry.tallies` since the start of the process. Gauges are computed at each scrape from the
:mod:`~event_bus_kafka.telemetry.state` of the workers and relays.
"""

from __future__ import annotations

from enum import Enum

import attrs

PREFIX = "event_bus_kafka_"


class MetricKind(Enum):
    """The kinds of metrics, with Prometheus's names."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@attrs.frozen(kw_only=True, eq=False)
class Metric:
    """
    A metric with its labels. If the value of a label would be a name that this service does not know, the value is
    ``other`` instead. Therefore each label has few values.
    """

    name: str
    """The full name, with the prefix, the unit and, for a counter, ``_total``."""
    kind: MetricKind
    labels: tuple[str, ...]
    sentence: str
    bounds: tuple[float, ...] = ()
    """Upper bounds of a histogram's buckets, in seconds."""
    counted_by: Metric | None = None
    """
    A histogram with the same labels. If it is set, this metric is a counter, and its value is the histogram's number of
    observations.
    """
    seconds_of: Metric | None = None
    """
    A counter with the same labels, for which durations are recorded. If it is set, the value of this metric is the sum
    of these durations.
    """

    @property
    def unit(self) -> str:
        """The metric's unit: ``seconds`` or ``bytes``; empty if the metric has neither unit."""
        return next((unit for unit in ("seconds", "bytes") if unit in self.name.split("_")), "")


def _counter(name: str, sentence: str, *labels: str) -> Metric:
    return Metric(name=f"{PREFIX}{name}_total", kind=MetricKind.COUNTER, labels=labels, sentence=sentence)


def _gauge(name: str, sentence: str, *labels: str) -> Metric:
    return Metric(name=PREFIX + name, kind=MetricKind.GAUGE, labels=labels, sentence=sentence)


def _histogram(name: str, sentence: str, *labels: str, bounds: tuple[float, ...]) -> Metric:
    return Metric(
        name=f"{PREFIX}{name}_seconds", kind=MetricKind.HISTOGRAM, labels=labels, sentence=sentence, bounds=bounds
    )


_OF_A_CALL = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 300.0)
_OF_A_JOURNEY = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0, 21_600.0, 86_400.0)

# Sending, in any process
EVENTS_SENT = _counter("events_sent", "Events that this process was asked to send.", "event_type", "mode")
EVENTS_DELIVERED = _counter("events_delivered", "Events sent directly that Kafka has confirmed.", "event_type")
EVENTS_APPENDED = _counter(
    "events_appended", "Events put into the outbox, in transactions that may have been rolled back.", "event_type"
)
EVENTS_SPILLED = _counter(
    "events_spilled", "Events that Kafka did not confirm and that were put into the outbox.", "event_type"
)
EVENTS_LOST = _counter(
    "events_lost", "Events that neither Kafka nor the outbox accepted. Alert on any increase.", "event_type"
)
EVENTS_REJECTED = _counter("events_rejected", "Events whose data or type cannot be sent.", "event_type")
APPENDS_FAILED = _counter(
    "appends_failed",
    "Events that could not be put into the outbox when they were emitted. Most are sent on commit.",
    "event_type",
)
SPILL_EVENTS = _gauge("spill_events", "Events that wait in this process's memory until an outbox accepts them.")
SPILL_BYTES = _gauge("spill_bytes", "Bytes of memory of the events that wait for an outbox.")

# Relays
ROWS_SENT = _counter("relay_rows_sent", "Rows of the outbox that Kafka has confirmed.", "event_type")
ROWS_PARKED = _counter(
    "relay_rows_parked", "Rows of the outbox that Kafka refused for good and that were parked.", "event_type"
)
RELAY_INTERRUPTIONS = _counter(
    "relay_interruptions", "Restarts of a relay that could not send, or could not use its database."
)
OUTBOX_DEPTH = _gauge(
    "outbox_depth",
    "Rows that wait in the outbox, counted every ten seconds, among the first 100,000 rows.",
    "database",
    "topic",
)
OUTBOX_OLDEST = _gauge("outbox_oldest_seconds", "Age of the oldest waiting row; 0 if no row waits.", "database")
OUTBOX_PARKED = _gauge("outbox_parked", "Parked rows, counted up to 100,000.", "database")
TOPIC_HELD = _gauge(
    "relay_topic_held_seconds",
    "Seconds since a topic was held; absent for topics that accept rows.",
    "database",
    "topic",
)
RELAY_READY = _gauge(
    "relay_ready", "1 if the relay's thread is alive and its last step did not fail; else 0.", "database"
)

# Workers
RECORDS_RECEIVED = _counter(
    "records_received", "Records for receivers of this service, counted at their first dispatch.", "event_type"
)
RECORDS_RETRIED = _counter(
    "records_retried", "Further dispatches of the same records, in which a receiver ran.", "event_type"
)
RECORDS_DEAD_LETTERED = _counter("records_dead_lettered", "Records stored as dead letters.", "event_type")
RECORDS_SKIPPED = _counter(
    "records_skipped",
    "Records that were skipped, since no receiver of this service should receive them.",
    "event_type",
    "reason",
)
ATTEMPTS_FAILED = _counter(
    "attempts_failed",
    "Attempts that failed and are followed by another attempt. A hold does not count against the record's attempts.",
    "event_type",
    "outcome",
)
LATENCY = _histogram(
    "latency",
    "Time from an event (ce_time) until all its receivers have succeeded.",
    "event_type",
    bounds=_OF_A_JOURNEY,
)
RECORDS_DONE = attrs.evolve(
    _counter("records_done", "Records whose receivers have all succeeded.", "event_type"), counted_by=LATENCY
)
RECEIVER_SECONDS = _histogram(
    "receiver",
    "Duration of receivers' calls; outcome: done or failed.",
    "event_type",
    "receiver",
    "outcome",
    bounds=_OF_A_CALL,
)
DUPLICATES_SKIPPED = _counter(
    "duplicates_skipped", "Omitted calls of receivers that had processed the event before.", "event_type", "receiver"
)
LAG = _gauge("lag", "Records in Kafka that the group has not processed.", "group", "topic", "partition")
LAG_SECONDS = _gauge(
    "lag_seconds",
    "Age of the oldest record that was read and is not done; 0 if there is no such record.",
    "group",
    "topic",
    "partition",
)
WINDOW_FILL = _gauge(
    "window_fill_ratio",
    "Records that are read and not committed, divided by the maximum.",
    "group",
    "topic",
    "partition",
)
FLOODED = _gauge(
    "flooded",
    "1 if the partition reached the limit of dead letters in a row, and a further record is held; else 0.",
    "group",
    "topic",
    "partition",
)
IN_FLIGHT = _gauge("in_flight", "Records that are read and not done.", "group")
RETRIES_WAITING = _gauge("retries_waiting", "Keys whose first record waits for its next attempt.", "group")
HELD_KEYS = _gauge(
    "held_keys",
    "Keys whose first record is held: its last attempt did not count, for example because of an outage.",
    "group",
)
LANES = _gauge("lanes", "Threads that run receivers.", "group")
LANES_AWAKE = _gauge("lanes_awake", "Threads that run receivers and do not sleep.", "group")
OPEN_CIRCUITS = _gauge("open_circuits", "Receivers whose circuit is open.", "group")
PAUSED_RECEIVERS = _gauge("paused_receivers", "Receivers that operators have paused.", "group")
SLOW_RECEIVERS = _gauge(
    "slow_receivers", "Receivers that have run for longer than EVENT_BUS_KAFKA_SLOW_RECEIVER.", "group"
)
WORKER_READY = _gauge("worker_ready", "1 if the polling thread is alive and there is no obstacle; else 0.", "group")
COMMITS = _counter("commits", "Commits of offsets that Kafka has confirmed.")
COMMITS_FAILED = _counter("commits_failed", "Commits of offsets that failed.")

# Servers, and errors of this package
REGISTRY_REQUESTS = _counter(
    "registry_requests", "Requests to the schema registry; outcome: done or failed.", "outcome"
)
REGISTRY_SECONDS = attrs.evolve(
    _counter("registry_seconds", "Seconds of waiting for requests to the schema registry.", "outcome"),
    seconds_of=REGISTRY_REQUESTS,
)
CLIENT_ERRORS = _counter(
    "client_errors", "Errors that a Kafka client reported, by the kind of trouble.", "client", "kind"
)
FAULTS = _counter(
    "faults", "Unexpected exceptions in a callback of the service, or in a thread of this package.", "place"
)
NEGLECTS = _gauge(
    "neglects",
    "Neglects: problems that have lasted for some time, found in the tables once a minute; absent if unknown.",
    "kind",
)
PROBES = _counter(
    "probes",
    "Probes of the bus; failed: the first leg that failed or was too slow, or none if all succeeded.",
    "failed",
)
PROBE_SECONDS = _histogram(
    "probe_leg", "Duration of each leg of a probe, including a failed leg.", "leg", bounds=_OF_A_CALL
)
BUILD_INFO = _gauge(
    "build_info", "Always 1; the labels are the versions in use.", "version", "python", "confluent_kafka", "librdkafka"
)

CATALOGUE: tuple[Metric, ...] = tuple(value for value in dict(globals()).values() if isinstance(value, Metric))
"""All metrics, in the order of the reference page."""
