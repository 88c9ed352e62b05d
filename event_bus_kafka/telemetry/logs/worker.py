"""The log lines about start, readiness and end of a worker."""

from __future__ import annotations

from event_bus_kafka.shown import logger_named
from event_bus_kafka.telemetry import events
from event_bus_kafka.telemetry.logs.fields import fields
from event_bus_kafka.telemetry.logs.lines import Lines
from event_bus_kafka.telemetry.logs.log_filter import LogFilter

logger = logger_named("event_bus_kafka")
lines = Lines()


@lines.of(events.ReadinessChanged)
def _(event: events.ReadinessChanged, _: LogFilter) -> None:
    (logger.info if event.ready else logger.warning)(
        "%s", "Ready" if event.ready else f"Not ready: {'; '.join(event.reasons)}", extra=fields(event)
    )


@lines.of(events.NeglectFound)
def _(event: events.NeglectFound, _: LogFilter) -> None:
    logger.warning(
        "Neglect found (kind=%s, subject=%s): %s Remedy: %s",
        event.neglect,
        event.subject,
        event.message,
        event.remedy,
        extra=fields(event),
    )


@lines.of(events.WorkerStarted)
def _(event: events.WorkerStarted, _: LogFilter) -> None:
    logger.info("Running %s", event.name, extra=fields(event))


@lines.of(events.WorkerStopping)
def _(event: events.WorkerStopping, _: LogFilter) -> None:
    logger.info("Stopping %s: %s", event.name, event.reason, extra=fields(event))


@lines.of(events.WorkerStopped)
def _(event: events.WorkerStopped, _: LogFilter) -> None:
    if event.exit_code == 0:
        logger.info("Stopped %s, exit code 0", event.name, extra=fields(event))
    else:
        logger.error("Stopped %s, exit code %s: %s", event.name, event.exit_code, event.reason, extra=fields(event))
