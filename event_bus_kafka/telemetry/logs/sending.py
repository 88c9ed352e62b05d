"""The log lines about events that are sent."""

from __future__ import annotations

import logging

from event_bus_kafka.shown import logger_named
from event_bus_kafka.telemetry import events
from event_bus_kafka.telemetry.error_text import error_text
from event_bus_kafka.telemetry.logs.fields import fields
from event_bus_kafka.telemetry.logs.lines import Lines
from event_bus_kafka.telemetry.logs.log_filter import LogFilter

logger = logger_named("event_bus_kafka")
lines = Lines()


@lines.of(events.EventRejected)
def _(event: events.EventRejected, _: LogFilter) -> None:
    logger.error(
        "Error delivering message to Kafka event bus. The event cannot be sent: %s (topic=%s, event_type=%s, "
        "message_id=%s)",
        error_text(event.error),
        event.topic,
        event.event_type,
        event.event_id,
        extra=fields(event),
    )


@lines.of(events.EventSpilled)
def _(event: events.EventSpilled, _: LogFilter) -> None:
    logger.warning(
        "Kafka did not confirm an event: %s (topic=%s, event_type=%s, message_id=%s). The event is kept in the outbox "
        "of database %s until manage.py relay_events sends it.",
        error_text(event.error),
        event.topic,
        event.event_type,
        event.event_id,
        event.database,
        extra=fields(event),
    )


@lines.of(events.EventUndelivered)
def _(event: events.EventUndelivered, _: LogFilter) -> None:
    logger.error(
        "Error delivering message to Kafka event bus. %s (topic=%s, event_type=%s, message_id=%s). The event is lost, "
        "because the outbox did not store it: %s",
        error_text(event.error),
        event.topic,
        event.event_type,
        event.event_id,
        error_text(event.obstacle),
        extra=fields(event),
    )


@lines.of(events.SpillDelayed)
def _(event: events.SpillDelayed, log_filter: LogFilter) -> None:
    if log_filter.is_news("spill", f"{event.database} {error_text(event.error)}"):
        logger.error(
            "%s events wait in memory until the outbox of database %s accepts them. Its last error: %s",
            event.waiting,
            event.database,
            error_text(event.error),
            extra=fields(event),
        )


@lines.of(events.ThreadsDisabled)
def _(event: events.ThreadsDisabled, _: LogFilter) -> None:
    logger.warning(
        "uWSGI runs without threads. If Kafka does not confirm an event, the event is put into the outbox only during "
        "the next request or at the end of the process. Start uWSGI with enable-threads.",
        extra=fields(event),
    )


@lines.of(events.RecordDelivered)
def _(event: events.RecordDelivered, log_filter: LogFilter) -> None:
    if log_filter.audit() and logger.isEnabledFor(logging.INFO):
        logger.info(
            "Message delivered to Kafka event bus: topic=%s, partition=%s, offset=%s, message_id=%s",
            event.topic,
            event.partition,
            event.offset,
            event.event_id,
            extra=fields(event),
        )
