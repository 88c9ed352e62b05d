"""The log lines about circuits, pauses and inbox of receivers."""

from __future__ import annotations

import logging

from event_bus_kafka.shown import Shown, logger_named
from event_bus_kafka.telemetry import events
from event_bus_kafka.telemetry.logs.fields import fields
from event_bus_kafka.telemetry.logs.lines import Lines
from event_bus_kafka.telemetry.logs.log_filter import LogFilter

logger = logger_named("event_bus_kafka")
lines = Lines()


@lines.of(events.CircuitOpened)
def _(event: events.CircuitOpened, _: LogFilter) -> None:
    logger.error(
        "Circuit of receiver %s is open: the receiver failed %s times in a row. Its events are held. Every %g s "
        "one of them is tried, until one succeeds. Correct the receiver, or pause it with manage.py event_bus_pause "
        "--receiver %s. While the receiver is paused, its events become dead letters, and other receivers continue.",
        event.receiver,
        event.failures,
        event.probe_every,
        event.receiver,
        extra=fields(event),
    )


@lines.of(events.CircuitClosed)
def _(event: events.CircuitClosed, _: LogFilter) -> None:
    logger.warning(
        "Circuit of receiver %s is closed: its events are no longer held", event.receiver, extra=fields(event)
    )


@lines.of(events.PausesChanged)
def _(event: events.PausesChanged, _: LogFilter) -> None:
    paused = ", ".join(event.receivers)
    logger.warning(
        "Paused receivers: %s%s",
        paused or "none",
        "; their events become dead letters" if paused else "",
        extra=fields(event),
    )


@lines.of(events.ReceiverUnfinished)
def _(event: events.ReceiverUnfinished, _: LogFilter) -> None:
    logger.error(
        "Receiver %s still runs. This worker has waited %g s for it, because the worker stops or loses the partition. "
        "Record %s will be processed again. The receiver's stack:\n%s",
        event.receiver,
        event.waited,
        event.record,
        Shown(event.stack),
        extra=fields(event),
    )


@lines.of(events.ReceiverSlow)
def _(event: events.ReceiverSlow, _: LogFilter) -> None:
    logger.error(
        "Receiver %s has been running for %.0f s, for record %s. Later records of the same key wait, and the "
        "receiver's thread cannot run other receivers. The receiver's stack: %s",
        event.receiver,
        event.waited,
        event.record,
        Shown(event.stack),
        extra=fields(event),
    )


@lines.of(events.DuplicateSkipped)
def _(event: events.DuplicateSkipped, _: LogFilter) -> None:
    if logger.isEnabledFor(logging.DEBUG):
        logger.debug(
            "Receiver %s was not called: it has already processed event %s",
            event.receiver,
            event.event_id,
            extra=fields(event),
        )


@lines.of(events.InboxMarksPurged)
def _(event: events.InboxMarksPurged, _: LogFilter) -> None:
    if event.count:
        logger.info(
            "Deleted %s marks of the inbox older than EVENT_BUS_KAFKA_RETENTION days", event.count, extra=fields(event)
        )
