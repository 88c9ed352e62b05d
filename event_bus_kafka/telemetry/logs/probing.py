"""The log lines about probes of the bus."""

from __future__ import annotations

from event_bus_kafka.shown import logger_named
from event_bus_kafka.telemetry import events
from event_bus_kafka.telemetry.logs.fields import fields
from event_bus_kafka.telemetry.logs.lines import Lines
from event_bus_kafka.telemetry.logs.log_filter import LogFilter

logger = logger_named("event_bus_kafka")
lines = Lines()


@lines.of(events.ProbeEnded)
def _(event: events.ProbeEnded, _: LogFilter) -> None:
    times = ", ".join(f"{name} {seconds:.3f} s" for name, seconds in event.legs)
    if event.failed:
        logger.error(
            "Probe of topic %s failed: the synthetic event did not pass the leg '%s', or passed it too slowly: %s. "
            "Duration of each leg: %s",
            event.topic,
            event.failed,
            event.reason,
            times,
            extra=fields(event),
        )
    else:
        text = (
            "Probe of topic %s succeeded. Duration of each leg of the synthetic event's way through the event bus: %s"
        )
        logger.info(text, event.topic, times, extra=fields(event))
