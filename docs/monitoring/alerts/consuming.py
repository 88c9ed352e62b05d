"""Alerts of workers and their groups."""

from __future__ import annotations

from docs.monitoring.alerts.alert import Alert, Severity, gone, grown

_LAG = "sum by (job, group, topic) (max by (job, group, topic, partition) (event_bus_kafka_lag))"
_AGE = "max by (job, group, topic, partition) (event_bus_kafka_lag_seconds)"

ALERTS = (
    Alert(
        name="EventBusWorkerNotReady",
        expression="min by (job, instance, group) (event_bus_kafka_worker_ready) == 0",
        lasting="5m",
        severity=Severity.WARNING,
        summary="The worker {{ $labels.instance }} of group {{ $labels.group }} is not ready",
        description="Something keeps it from its work, such as a right in Kafka that it has lost: /ready of the worker "
        "says what, and so do its log and manage.py event_bus_status. A restart does not help.",
        section="A relay or worker does not start, or is not ready",
    ),
    Alert(
        name="EventBusWorkerGone",
        expression=gone("event_bus_kafka_worker_ready", "job, group"),
        lasting="5m",
        severity=Severity.CRITICAL,
        summary="No worker of group {{ $labels.group }} runs",
        description="There was one within the last 6 hours. Start it: manage.py consume_events -g {{ $labels.group }}.",
        section="A relay or worker does not start, or is not ready",
    ),
    Alert(
        name="EventBusLagGrows",
        expression=f"{_LAG} > 1000 and deriv(({_LAG})[15m:1m]) > 0",
        lasting="15m",
        severity=Severity.WARNING,
        summary="Group {{ $labels.group }} falls behind on topic {{ $labels.topic }}",
        description="{{ $value }} records are not done, and more come than are worked off.",
        section="The lag grows",
    ),
    Alert(
        name="EventBusPartitionStuck",
        expression=f"{_AGE} > 300 and deriv(({_AGE})[10m:30s]) > 0.9",
        lasting="5m",
        severity=Severity.WARNING,
        summary="Group {{ $labels.group }} does not get on with {{ $labels.topic }}[{{ $labels.partition }}]",
        description="One record has been there for {{ $value | humanizeDuration }}: it is retried, held, or in a "
        "receiver that hangs. Its key waits, and in time the whole partition.",
        section="The lag grows",
    ),
    Alert(
        name="EventBusDeadLetters",
        expression=grown("event_bus_kafka_records_dead_lettered_total", "job, event_type"),
        lasting="0s",
        severity=Severity.WARNING,
        summary="{{ $labels.job }} gives up events of type {{ $labels.event_type }}",
        description="Receivers failed until their attempts were used up, or the records cannot be read. They are kept "
        "as dead letters.",
        section="Dead letters grow",
    ),
    Alert(
        name="EventBusFlood",
        expression="max by (job, group, topic, partition) (event_bus_kafka_flooded) > 0",
        lasting="1m",
        severity=Severity.CRITICAL,
        summary="Group {{ $labels.group }} holds {{ $labels.topic }}[{{ $labels.partition }}]: a flood of dead letters",
        description="EVENT_BUS_KAFKA_DEAD_LETTER_FLOOD dead letters came in a row, and no more are stored. Mostly "
        "somebody writes what this service cannot read.",
        section="A flood of dead letters",
    ),
    Alert(
        name="EventBusCommitsFail",
        expression="sum by (job) (rate(event_bus_kafka_commits_failed_total[5m])) > 0",
        lasting="10m",
        severity=Severity.WARNING,
        summary="Workers of {{ $labels.job }} cannot commit offsets",
        description="Commits have failed for 10 minutes: after a restart, events that were done come again. The log "
        "says why: brokers that are away, or a right that is missing.",
        section="Rights are lost",
    ),
)
