"""Alerts about processes that send events."""

from __future__ import annotations

from docs.monitoring.alerts.alert import Alert, Severity, grown

ALERTS = (
    Alert(
        name="EventBusEventsLost",
        expression=grown("event_bus_kafka_events_lost_total", "job, event_type"),
        lasting="0s",
        severity=Severity.CRITICAL,
        summary="{{ $labels.job }} has lost events of type {{ $labels.event_type }}",
        description="Neither Kafka nor the outbox took them within the last 15 minutes. The log of the service has an "
        "error line with the id of each: emit these again.",
        section="Events are lost",
    ),
    Alert(
        name="EventBusEventsRejected",
        expression=grown("event_bus_kafka_events_rejected_total", "job, event_type"),
        lasting="0s",
        severity=Severity.WARNING,
        summary="{{ $labels.job }} emits events of type {{ $labels.event_type }} that cannot be sent",
        description="Their data or their type is wrong. The log of the service names the field.",
        section="Events are lost",
    ),
    Alert(
        name="EventBusEventsSpilled",
        expression="sum by (job) (rate(event_bus_kafka_events_spilled_total[5m])) > 0",
        lasting="10m",
        severity=Severity.WARNING,
        summary="Kafka does not confirm the events of {{ $labels.job }}",
        description="They have gone into the outbox instead for 10 minutes, and a relay sends them once Kafka takes "
        "events again.",
        section="Kafka is away",
    ),
    Alert(
        name="EventBusSpillInMemory",
        expression="sum by (job) (event_bus_kafka_spill_events) > 0",
        lasting="5m",
        severity=Severity.CRITICAL,
        summary="Events of {{ $labels.job }} are in memory alone",
        description="Neither Kafka nor the database has taken {{ $value }} events for 5 minutes. Do not kill the "
        "processes: these events would be lost.",
        section="Events are lost",
    ),
    Alert(
        name="EventBusAppendsFail",
        expression=grown("event_bus_kafka_appends_failed_total", "job, event_type"),
        lasting="0s",
        severity=Severity.WARNING,
        summary="The outbox of {{ $labels.job }} does not take events of type {{ $labels.event_type }}",
        description="An INSERT failed within the last 15 minutes. The log of the service has the database's error; run "
        "manage.py migrate where a table is missing.",
        section="The outbox grows",
    ),
)
