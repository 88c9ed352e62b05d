"""
The catalogue of metrics. ``/metrics`` and the reference page are generated from it. Counters and histograms are kept as
:mod:`~event_bus_kafka.telemetry.tallies`, from the start of the process; gauges are read from the
:mod:`~event_bus_kafka.telemetry.state` of the workers and relays at each scrape.
"""

from __future__ import annotations

from enum import Enum

import attrs

PREFIX = "event_bus_kafka_"


class MetricKind(Enum):
    """The kinds of metrics, by Prometheus's words."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@attrs.frozen(kw_only=True, eq=False)
class Metric:
    """One metric. Its labels have few values: names that this service does not know become ``other``."""

    name: str
    """The full name, with the prefix, the unit and, for a counter, ``_total``."""
    kind: MetricKind
    labels: tuple[str, ...]
    sentence: str
    bounds: tuple[float, ...] = ()
    """Upper bounds of a histogram's buckets, in seconds."""
    counted_by: Metric | None = None
    """
    A histogram with the same labels, whose number of observations is this counter: flows add to the histogram alone.
    """
    seconds_of: Metric | None = None
    """The counter with the same labels whose seconds it is."""

    @property
    def unit(self) -> str:
        """``seconds``, ``bytes``, or empty: a number of things."""
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

# Sending, in whatever process
EVENTS_SENT = _counter("events_sent", "Events that this process was asked to send.", "event_type", "mode")
EVENTS_DELIVERED = _counter("events_delivered", "Events sent directly that Kafka has confirmed.", "event_type")
EVENTS_APPENDED = _counter(
    "events_appended", "Events put into the outbox, in transactions that may have been rolled back.", "event_type"
)
EVENTS_SPILLED = _counter(
    "events_spilled", "Events that Kafka did not confirm, and that went into the outbox instead.", "event_type"
)
EVENTS_LOST = _counter(
    "events_lost", "Events that neither Kafka nor the outbox took. Any of them is a reason for an alarm.", "event_type"
)
EVENTS_REJECTED = _counter("events_rejected", "Events whose data or type cannot be sent.", "event_type")
APPENDS_FAILED = _counter(
    "appends_failed",
    "Events that the outbox did not take when they were emitted; most are sent on commit.",
    "event_type",
)
SPILL_EVENTS = _gauge("spill_events", "Events in the memory of this process that wait for an outbox.")
SPILL_BYTES = _gauge("spill_bytes", "Bytes of memory that they take.")

# Relays
ROWS_SENT = _counter("relay_rows_sent", "Rows of the outbox that Kafka has confirmed.", "event_type")
ROWS_PARKED = _counter("relay_rows_parked", "Rows that Kafka refused for good.", "event_type")
RELAY_INTERRUPTIONS = _counter(
    "relay_interruptions", "How often a relay could not send, or not use its database, and began anew."
)
OUTBOX_DEPTH = _gauge(
    "outbox_depth",
    "Rows that wait in the outbox, of the first 100,000, as of a look each ten seconds.",
    "database",
    "topic",
)
OUTBOX_OLDEST = _gauge("outbox_oldest_seconds", "Age of the oldest row that waits; 0: none does.", "database")
OUTBOX_PARKED = _gauge("outbox_parked", "Rows that are parked, 100,000 at most.", "database")
TOPIC_HELD = _gauge(
    "relay_topic_held_seconds",
    "For how long a topic has taken no rows; absent while it takes them.",
    "database",
    "topic",
)
RELAY_READY = _gauge("relay_ready", "1: the relay's thread turns, and its last step did not fail; else 0.", "database")

# Workers
RECORDS_RECEIVED = _counter("records_received", "Records that came for receivers of this service.", "event_type")
RECORDS_RETRIED = _counter("records_retried", "Further attempts at records, in which a receiver ran.", "event_type")
RECORDS_DEAD_LETTERED = _counter("records_dead_lettered", "Records stored as dead letters.", "event_type")
RECORDS_SKIPPED = _counter(
    "records_skipped", "Records that no receiver of this service is to get.", "event_type", "reason"
)
ATTEMPTS_FAILED = _counter(
    "attempts_failed",
    "Attempts that failed and are followed by another: a retry, or a hold, which costs the record no attempt.",
    "event_type",
    "outcome",
)
LATENCY = _histogram(
    "latency",
    "From the time of an event (ce_time) until its receivers have all succeeded.",
    "event_type",
    bounds=_OF_A_JOURNEY,
)
RECORDS_DONE = attrs.evolve(
    _counter("records_done", "Records whose receivers have all succeeded.", "event_type"), counted_by=LATENCY
)
RECEIVER_SECONDS = _histogram(
    "receiver",
    "Calls of receivers; outcome: done or failed.",
    "event_type",
    "receiver",
    "outcome",
    bounds=_OF_A_CALL,
)
DUPLICATES_SKIPPED = _counter(
    "duplicates_skipped", "Calls left out, as the receiver had the event before.", "event_type", "receiver"
)
LAG = _gauge("lag", "Records in Kafka that are not done.", "group", "topic", "partition")
LAG_SECONDS = _gauge(
    "lag_seconds",
    "Age of the oldest record that was read and is not done; 0: there is none.",
    "group",
    "topic",
    "partition",
)
WINDOW_FILL = _gauge(
    "window_fill_ratio", "Share of the records that may be read and not committed.", "group", "topic", "partition"
)
FLOODED = _gauge(
    "flooded", "1: a dead letter is held because there were so many in a row; else 0.", "group", "topic", "partition"
)
IN_FLIGHT = _gauge("in_flight", "Records that are read and not done.", "group")
RETRIES_WAITING = _gauge("retries_waiting", "Keys whose first record waits for its next attempt.", "group")
HELD_KEYS = _gauge("held_keys", "Those of them whose last attempt cost none: a server is away, say.", "group")
LANES = _gauge("lanes", "Threads that run receivers.", "group")
LANES_AWAKE = _gauge("lanes_awake", "Those of them that are awake.", "group")
OPEN_CIRCUITS = _gauge("open_circuits", "Receivers whose circuit is open.", "group")
PAUSED_RECEIVERS = _gauge("paused_receivers", "Receivers that operators have paused.", "group")
SLOW_RECEIVERS = _gauge(
    "slow_receivers", "Receivers that have run for longer than EVENT_BUS_KAFKA_SLOW_RECEIVER.", "group"
)
WORKER_READY = _gauge("worker_ready", "1: the polling thread turns, and nothing keeps the worker; else 0.", "group")
COMMITS = _counter("commits", "Commits of offsets that Kafka has confirmed.")
COMMITS_FAILED = _counter("commits_failed", "Commits of offsets that failed.")

# Servers and ourselves
REGISTRY_REQUESTS = _counter(
    "registry_requests", "Requests to the schema registry; outcome: done or failed.", "outcome"
)
REGISTRY_SECONDS = attrs.evolve(
    _counter("registry_seconds", "Seconds for which these were waited for.", "outcome"), seconds_of=REGISTRY_REQUESTS
)
CLIENT_ERRORS = _counter(
    "client_errors", "Errors that a Kafka client reported, by the kind of trouble.", "client", "kind"
)
FAULTS = _counter(
    "faults", "What raised although it must not: in a callback of the service, or in a thread of this package.", "place"
)
NEGLECTS = _gauge(
    "neglects", "What is neglected in this service, by its tables, each minute; 0: nothing; absent: not known.", "kind"
)
PROBES = _counter("probes", "Probes of the bus, by the first leg that failed; none: all is well.", "failed")
PROBE_SECONDS = _histogram(
    "probe_leg", "How long each leg of a probe took, also one that failed.", "leg", bounds=_OF_A_CALL
)
BUILD_INFO = _gauge("build_info", "1; the versions that run.", "version", "python", "confluent_kafka", "librdkafka")

CATALOGUE: tuple[Metric, ...] = tuple(value for value in dict(globals()).values() if isinstance(value, Metric))
"""All metrics, in the order of the page."""
