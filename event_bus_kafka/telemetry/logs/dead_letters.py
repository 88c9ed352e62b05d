"""The log lines about dead letters."""

from __future__ import annotations

from event_bus_kafka.shown import logger_named
from event_bus_kafka.telemetry import events
from event_bus_kafka.telemetry.error_text import error_text, stack_text
from event_bus_kafka.telemetry.logs.fields import fields
from event_bus_kafka.telemetry.logs.lines import Lines
from event_bus_kafka.telemetry.logs.log_filter import LogFilter

logger = logger_named("event_bus_kafka")
lines = Lines()


@lines.of(events.DeadLetterStored)
def _(event: events.DeadLetterStored, _: LogFilter) -> None:
    logger.error(
        "Error consuming event from Kafka: %s (topic=%s, partition=%s, offset=%s, event_type=%s, message_id=%s, "
        "attempts=%s); stored as a dead letter%s",
        error_text(event.error),
        event.topic,
        event.partition,
        event.offset,
        event.event_type,
        event.event_id,
        event.attempts,
        stack_text(event.error),
        extra=fields(event),
    )


@lines.of(events.DeadLetterReduced)
def _(event: events.DeadLetterReduced, _: LogFilter) -> None:
    logger.warning(
        "Dead letter of %s:%s:%s (event_type=%s, message_id=%s) is stored without its %s: %s. A replay reads the "
        "record's key, value and headers from Kafka, as long as the topic has the record.",
        event.topic,
        event.partition,
        event.offset,
        event.event_type,
        event.event_id,
        ", ".join(f"{part} ({size} bytes)" for part, size in event.left_out),
        event.reason,
        extra=fields(event),
    )


@lines.of(events.FloodHeld)
def _(event: events.FloodHeld, _: LogFilter) -> None:
    logger.error(
        "Partition %s[%s] has reached the limit of %s dead letters in a row. From now on, records of this partition "
        "that fail for good are held instead of stored as dead letters. List the dead letters with manage.py "
        "event_dead_letters list. To store the held records as dead letters, restart the workers with a higher "
        "EVENT_BUS_KAFKA_DEAD_LETTER_FLOOD. To skip the held records, stop the workers and use manage.py "
        "event_offsets reset.",
        event.topic,
        event.partition,
        event.dead_letters,
        extra=fields(event),
    )


@lines.of(events.ReplayFailed)
def _(event: events.ReplayFailed, _: LogFilter) -> None:
    logger.error(
        "Error replaying event from Kafka: %s (topic=%s, partition=%s, offset=%s, event_type=%s, message_id=%s)%s",
        error_text(event.error),
        event.topic,
        event.partition,
        event.offset,
        event.event_type,
        event.event_id,
        stack_text(event.error),
        extra=fields(event),
    )


@lines.of(events.DeadLettersPurged)
def _(event: events.DeadLettersPurged, _: LogFilter) -> None:
    if event.count:
        text = "Deleted %s dead letters older than EVENT_BUS_KAFKA_RETENTION days"
        logger.info(text, event.count, extra=fields(event))


@lines.of(events.DeadLetterEntriesPurged)
def _(event: events.DeadLetterEntriesPurged, _: LogFilter) -> None:
    if event.count:
        logger.info(
            "Deleted %s entries of dead letters that no longer exist. Entries are kept for EVENT_BUS_KAFKA_HISTORY "
            "days after their last change.",
            event.count,
            extra=fields(event),
        )


@lines.of(events.ReplayRequestChanged)
def _(event: events.ReplayRequestChanged, _: LogFilter) -> None:
    why = f": {event.note}" if event.note else ""
    log = logger.warning if why else logger.info
    log(
        "Replay request %s of group %s is in the state '%s'%s. This worker has processed %s dead letters, records or "
        "batches of the request since it took the request or last continued it.",
        event.request,
        event.group,
        event.state,
        why,
        event.letters,
        extra=fields(event),
    )
