"""Alerts of relays and the outbox."""

from __future__ import annotations

from docs.monitoring.alerts.alert import Alert, Severity, gone

_DEPTH = "sum by (job, database) (max by (job, database, topic) (event_bus_kafka_outbox_depth))"

ALERTS = (
    Alert(
        name="EventBusOutboxOld",
        expression="max by (job, database) (event_bus_kafka_outbox_oldest_seconds) > 300",
        lasting="2m",
        severity=Severity.WARNING,
        summary="The oldest event in the outbox {{ $labels.database }} of {{ $labels.job }} waits for more than "
        "5 minutes",
        description="It has waited for {{ $value | humanizeDuration }}. Its topic is held, or the relay cannot send.",
        section="The outbox grows",
    ),
    Alert(
        name="EventBusRelayBehind",
        expression=f"{_DEPTH} > 1000 and deriv(({_DEPTH})[15m:1m]) > 0",
        lasting="15m",
        severity=Severity.WARNING,
        summary="The relay of {{ $labels.job }} falls behind in the database {{ $labels.database }}",
        description="{{ $value }} events wait in the outbox, and more come than go.",
        section="The outbox grows",
    ),
    Alert(
        name="EventBusRelayNotReady",
        expression="max by (job, database) (event_bus_kafka_relay_ready) == 0",
        lasting="5m",
        severity=Severity.CRITICAL,
        summary="No relay of {{ $labels.job }} can work in the database {{ $labels.database }}",
        description="All of them have an obstacle, or hang: /ready of the relay says which, and so does its log.",
        section="A relay or worker does not start, or is not ready",
    ),
    Alert(
        name="EventBusRelayGone",
        expression=gone("event_bus_kafka_relay_ready", "job, database"),
        lasting="5m",
        severity=Severity.CRITICAL,
        summary="No relay of {{ $labels.job }} runs for the database {{ $labels.database }}",
        description="There was one within the last 6 hours. Start it: manage.py relay_events.",
        section="A relay or worker does not start, or is not ready",
    ),
    Alert(
        name="EventBusRelayInterrupted",
        expression="sum by (job) (increase(event_bus_kafka_relay_interruptions_total[15m])) > 5",
        lasting="0s",
        severity=Severity.WARNING,
        summary="A relay of {{ $labels.job }} begins anew again and again",
        description="It could not send, or not use its database, more than 5 times in 15 minutes. Its log says why.",
        section="The outbox grows",
    ),
    Alert(
        name="EventBusTopicHeld",
        expression="max by (job, database, topic) (event_bus_kafka_relay_topic_held_seconds) > 300",
        lasting="0s",
        severity=Severity.WARNING,
        summary="The topic {{ $labels.topic }} takes no events of {{ $labels.job }}",
        description="It has taken none for {{ $value | humanizeDuration }}; events for it wait in the outbox "
        "{{ $labels.database }}, in their order.",
        section="A topic is held",
    ),
    Alert(
        name="EventBusRowsParked",
        expression="max by (job, database) (event_bus_kafka_outbox_parked) > 0",
        lasting="1m",
        severity=Severity.WARNING,
        summary="Events of {{ $labels.job }} are parked in the database {{ $labels.database }}",
        description="Kafka has refused {{ $value }} events for good. They are kept until EVENT_BUS_KAFKA_RETENTION is "
        "over: release or discard them.",
        section="Rows are parked",
    ),
)
