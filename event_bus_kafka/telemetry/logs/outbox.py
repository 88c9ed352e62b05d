"""The log lines about the outbox and its relays."""

from __future__ import annotations

import logging

from django.db import Error

from event_bus_kafka.shown import logger_named
from event_bus_kafka.telemetry import events
from event_bus_kafka.telemetry.error_text import database_error_text, error_text
from event_bus_kafka.telemetry.logs.fields import fields
from event_bus_kafka.telemetry.logs.lines import Lines
from event_bus_kafka.telemetry.logs.log_filter import LogFilter

logger = logger_named("event_bus_kafka")
lines = Lines()


@lines.of(events.EventAppended)
def _(event: events.EventAppended, _: LogFilter) -> None:
    if logger.isEnabledFor(logging.DEBUG):
        logger.debug("Event %s for topic %s waits in the outbox", event.event_id, event.topic, extra=fields(event))


@lines.of(events.AppendToOutboxFailed)
def _(event: events.AppendToOutboxFailed, _: LogFilter) -> None:
    logger.error(
        "An event could not be put into the outbox: %s (topic=%s, event_type=%s, message_id=%s); %s",
        error_text(event.error),
        event.topic,
        event.event_type,
        event.event_id,
        "the transaction or savepoint around it fails, too"
        if event.doomed
        else "the event is sent without the outbox, after the commit if a transaction is open",
        extra=fields(event),
    )


@lines.of(events.OutboxAmbiguous)
def _(event: events.OutboxAmbiguous, log_filter: LogFilter) -> None:
    if log_filter.is_news("ambiguous", ", ".join(event.databases)):
        logger.warning(
            "An event was sent while transactions were open on several databases: %s. It goes into the outbox of the "
            "first one. If that is the wrong one, name the right database with the key 'database' of the topic in "
            "EVENT_BUS_PRODUCER_CONFIG, or by a router's db_for_write.",
            ", ".join(event.databases),
            extra=fields(event),
        )


@lines.of(events.OutboxStalled)
def _(event: events.OutboxStalled, log_filter: LogFilter) -> None:
    if log_filter.is_news("stalled", event.database):
        logger.warning(
            "The oldest row in the outbox of database %s is %.0f s old. Check whether manage.py relay_events "
            "runs and can send. See manage.py event_outbox status.",
            event.database,
            event.oldest,
            extra=fields(event),
        )


@lines.of(events.RowParked)
def _(event: events.RowParked, _: LogFilter) -> None:
    logger.error(
        "Outbox row %s is parked, because it cannot be sent: %s (topic=%s, event_type=%s, message_id=%s). See "
        "manage.py event_outbox parked.",
        event.row,
        error_text(event.error),
        event.topic,
        event.event_type or "unknown",
        event.event_id or "unknown",
        extra=fields(event),
    )


@lines.of(events.TopicHeld)
def _(event: events.TopicHeld, log_filter: LogFilter) -> None:
    if log_filter.is_news("held", f"{event.topic} {error_text(event.error)}"):
        logger.error(
            "Topic %s %s. Its rows wait in the outbox; other topics continue. The relay tries again in %.0f s.",
            event.topic,
            f"has a row that cannot be removed or parked: its database raised {database_error_text(event.error)}"
            if isinstance(event.error, Error)
            else f"takes no records: {error_text(event.error)}",
            event.delay,
            extra=fields(event),
        )


@lines.of(events.TopicResumed)
def _(event: events.TopicResumed, _: LogFilter) -> None:
    text = "Topic %s is no longer held: the relay sends its rows as usual again"
    logger.info(text, event.topic, extra=fields(event))


@lines.of(events.RelayInterrupted)
def _(event: events.RelayInterrupted, log_filter: LogFilter) -> None:
    if event.unconfirmed or log_filter.is_news("relay", error_text(event.error)):
        cause = error_text(event.error)
        if isinstance(event.error, Error):
            cause = f"its database raised {database_error_text(event.error)}"
        twice = f"; {event.unconfirmed} rows that may be in Kafka already are sent again" if event.unconfirmed else ""
        logger.error(
            "The relay was interrupted: %s. It starts again in %.1f s%s.",
            cause,
            event.delay,
            twice,
            extra=fields(event),
        )


@lines.of(events.RelayProgress)
def _(event: events.RelayProgress, _: LogFilter) -> None:
    parked = ", ".join(f"{count} × {code}" for code, count in event.parked) or "none"
    logger.info(
        "Relay of database %s: sent %s rows since its last report (%.0f per second); %s rows wait, the oldest row for "
        "%.1f s; parked rows by error code: %s; held topics: %s",
        event.database,
        event.sent,
        event.rate,
        event.depth,
        event.oldest,
        parked,
        ", ".join(event.held) or "none",
        extra=fields(event),
    )


@lines.of(events.ParkedRowsPurged)
def _(event: events.ParkedRowsPurged, _: LogFilter) -> None:
    if event.count:
        text = "Deleted %s parked rows older than EVENT_BUS_KAFKA_RETENTION days"
        logger.info(text, event.count, extra=fields(event))
