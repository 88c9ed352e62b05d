"""The first row, which shows whether all is well. Also the last row, about the servers that clients need."""

from __future__ import annotations

from docs.monitoring.alerts.alert import grown
from docs.monitoring.dashboard.panel import Panel, Query, Unit

_REQUESTS = "event_bus_kafka_registry_requests_total"
_FAULTS = "event_bus_kafka_faults_total"
_LEGS = "event_bus_kafka_probe_leg_seconds_bucket"
_PROBES = "event_bus_kafka_probes_total"


def _in_a_day(counter: str) -> str:
    return f"sum({grown(counter, 'job', minutes=24 * 60)})"


HEALTH = (
    Panel(
        "Workers not ready",
        "Workers that an obstacle keeps from their work. Ask /ready of the worker which; see its log.",
        (Query("sum(event_bus_kafka_worker_ready == bool 0)", "workers"),),
        is_number=True,
        alarming_from=1,
    ),
    Panel(
        "Relays not ready",
        "Relays that cannot send. Ask /ready of the relay why; see its log.",
        (Query("sum(event_bus_kafka_relay_ready == bool 0)", "relays"),),
        is_number=True,
        alarming_from=1,
    ),
    Panel(
        "Lag",
        "Records in Kafka that are not done, of all groups. If it grows, see which group and topic below.",
        (Query("sum(max by (job, group, topic, partition) (event_bus_kafka_lag))", "records"),),
        is_number=True,
    ),
    Panel(
        "Oldest in an outbox",
        "Age of the oldest event that waits for a relay. Beyond five minutes: manage.py event_outbox status.",
        (Query("max(event_bus_kafka_outbox_oldest_seconds)", "age"),),
        Unit.SECONDS,
        is_number=True,
        alarming_from=300,
    ),
    Panel(
        "Dead letters, 24 h",
        "Records given up within a day: manage.py event_dead_letters list.",
        (Query(_in_a_day("event_bus_kafka_records_dead_lettered_total"), "records"),),
        is_number=True,
        alarming_from=1,
    ),
    Panel(
        "Lost, 24 h",
        "Events that neither Kafka nor the outbox took within a day. The log of the service has the id of each.",
        (Query(_in_a_day("event_bus_kafka_events_lost_total"), "events"),),
        is_number=True,
        alarming_from=1,
    ),
    Panel(
        "Workers",
        "Ready workers of each group, and all that answer. Ready below all: see /ready of the others. None: start one.",
        (
            Query("sum by (job, group) (event_bus_kafka_worker_ready)", "{{group}}: ready"),
            Query("count by (job, group) (event_bus_kafka_worker_ready)", "{{group}}: all"),
        ),
    ),
    Panel(
        "Relays",
        "Ready relays of each outbox, and all that answer. Several share an outbox; one is enough.",
        (
            Query("sum by (job, database) (event_bus_kafka_relay_ready)", "{{job}} {{database}}: ready"),
            Query("count by (job, database) (event_bus_kafka_relay_ready)", "{{job}} {{database}}: all"),
        ),
    ),
    Panel(
        "Neglected",
        "Trouble that nobody has attended to for a while, by its kind: manage.py event_bus_status says what to do.",
        (Query("max by (job, kind) (event_bus_kafka_neglects) > 0", "{{job}}: {{kind}}"),),
        alarming_from=1,
    ),
    Panel(
        "Versions",
        "Processes by the version that they run. Several at once outside of a deploy: one was left out.",
        (
            Query(
                "count by (job, version, python, librdkafka) (event_bus_kafka_build_info)",
                "{{job}} {{version}}, Python {{python}}, librdkafka {{librdkafka}}",
            ),
        ),
    ),
)

CLIENTS = (
    Panel(
        "Registry requests",
        "Requests to the schema registry by outcome. Failed ones: see whether it is there, and the credentials.",
        (Query(f"sum by (job, outcome) (rate({_REQUESTS}[$__rate_interval]))", "{{outcome}}"),),
        Unit.PER_SECOND,
    ),
    Panel(
        "Registry: seconds per request",
        "How long a request is waited for. A slow registry delays the first event of each schema, and no other.",
        (
            Query(
                "sum by (job, outcome) (rate(event_bus_kafka_registry_seconds_total[$__rate_interval])) / "
                f"sum by (job, outcome) (rate({_REQUESTS}[$__rate_interval]))",
                "{{outcome}}",
            ),
        ),
        Unit.SECONDS,
    ),
    Panel(
        "Errors of Kafka clients",
        "What clients report, by the kind of trouble. They go on trying; the log quotes the errors.",
        (
            Query(
                "sum by (job, client, kind) (rate(event_bus_kafka_client_errors_total[$__rate_interval]))",
                "{{job}} {{client}}: {{kind}}",
            ),
        ),
        Unit.PER_SECOND,
    ),
    Panel(
        "Faults",
        "Callbacks of the service and threads of this package that raised although they must not. See the log.",
        (
            Query(
                "sum by (job, place) (increase(event_bus_kafka_faults_total[$__rate_interval]))", "{{job}}: {{place}}"
            ),
        ),
    ),
    Panel(
        "Probes",
        "Synthetic events by the first leg that failed; none: all is well. See docs/probing.rst.",
        (
            Query(
                "sum by (job, failed) (increase(event_bus_kafka_probes_total[$__rate_interval]))", "{{job}}: {{failed}}"
            ),
        ),
    ),
    Panel(
        "Legs of a probe, 95th percentile",
        "How long each leg of the way takes. The one that grows is where the trouble is.",
        (
            Query(
                f"histogram_quantile(0.95, sum by (job, leg, le) (rate({_LEGS}[$__rate_interval])))",
                "{{job}}: {{leg}}",
            ),
        ),
        Unit.SECONDS,
    ),
)
