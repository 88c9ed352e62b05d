"""Alerts of receivers."""

from __future__ import annotations

from docs.monitoring.alerts.alert import Alert, Severity

ALERTS = (
    Alert(
        name="EventBusCircuitOpen",
        expression="max by (job, group) (event_bus_kafka_open_circuits) > 0",
        lasting="2m",
        severity=Severity.CRITICAL,
        summary="A receiver of group {{ $labels.group }} fails for everything",
        description="The circuit of {{ $value }} receivers is open: their events are held, and those of the same keys "
        "behind them.",
        section="One receiver fails",
    ),
    Alert(
        name="EventBusReceiverFails",
        expression='sum by (job, receiver) (rate(event_bus_kafka_receiver_seconds_count{outcome="failed"}[15m])) '
        "/ sum by (job, receiver) (rate(event_bus_kafka_receiver_seconds_count[15m])) > 0.1",
        lasting="15m",
        severity=Severity.WARNING,
        summary="{{ $labels.receiver }} fails often",
        description="{{ $value | humanizePercentage }} of its calls have failed for 15 minutes.",
        section="One receiver fails",
    ),
    Alert(
        name="EventBusReceiverSlow",
        expression="sum by (job, group) (event_bus_kafka_slow_receivers) > 0",
        lasting="5m",
        severity=Severity.WARNING,
        summary="A receiver of group {{ $labels.group }} does not end",
        description="{{ $value }} calls have run for longer than EVENT_BUS_KAFKA_SLOW_RECEIVER. The log names the "
        "places in the code.",
        section="It is too slow",
    ),
    Alert(
        name="EventBusReceiverPaused",
        expression="max by (job, group) (max_over_time(event_bus_kafka_paused_receivers[15m])) > 0",
        lasting="1d",
        severity=Severity.WARNING,
        summary="A receiver of group {{ $labels.group }} has been paused for a day",
        description="Each event of {{ $value }} receivers becomes a dead letter. Mend and resume them: "
        "manage.py event_bus_pause names them.",
        section="One receiver fails",
    ),
)
