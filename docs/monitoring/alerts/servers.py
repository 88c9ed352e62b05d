"""Alerts of the servers that clients need, and of the package itself."""

from __future__ import annotations

from docs.monitoring.alerts.alert import Alert, Severity, grown

ALERTS = (
    Alert(
        name="EventBusRegistryFails",
        expression='sum by (job) (rate(event_bus_kafka_registry_requests_total{outcome="failed"}[5m])) > 0',
        lasting="10m",
        severity=Severity.WARNING,
        summary="The schema registry does not serve {{ $labels.job }}",
        description="Requests have failed for 10 minutes. Events with known schemas go on; those with a new one wait.",
        section="The schema registry is away",
    ),
    Alert(
        name="EventBusClientErrors",
        expression="sum by (job, client, kind) (rate(event_bus_kafka_client_errors_total[5m])) > 0",
        lasting="10m",
        severity=Severity.WARNING,
        summary="The {{ $labels.client }} of {{ $labels.job }} has trouble with Kafka: {{ $labels.kind }}",
        description="Its client has reported errors for 10 minutes, and goes on trying. The log quotes them.",
        section="Kafka is away",
    ),
    Alert(
        name="EventBusNeglected",
        expression="max by (job, kind) (event_bus_kafka_neglects) > 0",
        lasting="15m",
        severity=Severity.WARNING,
        summary="Something is neglected in {{ $labels.job }}: {{ $labels.kind }}",
        description="Nobody has attended to {{ $value }} things of this kind for a while: manage.py event_bus_status "
        "names them, each with its remedy.",
        section="Something is neglected",
    ),
    Alert(
        name="EventBusFaults",
        expression=grown("event_bus_kafka_faults_total", "job, place"),
        lasting="0s",
        severity=Severity.WARNING,
        summary="Code of {{ $labels.job }} raised where it must not: {{ $labels.place }}",
        description="A callback of the service, an observer or a thread of this package. The log has the place in the "
        "code; events go on.",
        section="The log has a line that you do not know",
    ),
)
