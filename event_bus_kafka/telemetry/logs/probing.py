"""The log lines about probes of the bus."""

from __future__ import annotations

from event_bus_kafka.shown import logger_named
from event_bus_kafka.telemetry import events
from event_bus_kafka.telemetry.logs.lines import Lines
from event_bus_kafka.telemetry.logs.log_filter import LogFilter

logger = logger_named("event_bus_kafka")
lines = Lines()


@lines.of(events.ProbeEnded)
def _(event: events.ProbeEnded, _: LogFilter) -> None:
    times = ", ".join(f"{name} {seconds:.3f} s" for name, seconds in event.legs)
    if event.failed:
        logger.error(
            "Probe of topic %s failed at leg %s: %s (times: %s)", event.topic, event.failed, event.reason, times
        )
    else:
        logger.info("Probe of topic %s succeeded: %s", event.topic, times)
