"""The log lines about records, partitions and offsets of a consumer group."""

from __future__ import annotations

import logging

from event_bus_kafka.shown import logger_named
from event_bus_kafka.telemetry import events
from event_bus_kafka.telemetry.error_text import error_text, stack_text
from event_bus_kafka.telemetry.logs.fields import fields
from event_bus_kafka.telemetry.logs.lines import Lines
from event_bus_kafka.telemetry.logs.log_filter import LogFilter

logger = logger_named("event_bus_kafka")
lines = Lines()


@lines.of(events.RecordReceived)
def _(event: events.RecordReceived, log_filter: LogFilter) -> None:
    if log_filter.audit() and logger.isEnabledFor(logging.INFO):
        logger.info(
            "Message received from Kafka: topic=%s, partition=%s, offset=%s, message_id=%s, event_type=%s",
            event.topic,
            event.partition,
            event.offset,
            event.event_id,
            event.event_type,
            extra=fields(event),
        )


@lines.of(events.RecordRetried)
def _(event: events.RecordRetried, _: LogFilter) -> None:
    if logger.isEnabledFor(logging.DEBUG):
        logger.debug(
            "Retrying record %s:%s:%s, event_type=%s",
            event.topic,
            event.partition,
            event.offset,
            event.event_type,
            extra=fields(event),
        )


@lines.of(events.RecordDone)
def _(event: events.RecordDone, log_filter: LogFilter) -> None:
    if log_filter.audit() and logger.isEnabledFor(logging.INFO):
        logger.info(
            "Message from Kafka processed successfully: topic=%s, partition=%s, offset=%s",
            event.topic,
            event.partition,
            event.offset,
            extra=fields(event),
        )


@lines.of(events.RecordSkipped)
def _(event: events.RecordSkipped, log_filter: LogFilter) -> None:
    if event.reason == "unregistered type" and log_filter.is_news("unregistered", event.event_type, for_ever=True):
        logger.warning(
            "Event type %s on topic %s is not registered in this service: its records are skipped. If this "
            "service needs the type, import its signal before the app openedx_events is ready: in a module of models, "
            "or in ready() of an app that stands before openedx_events in INSTALLED_APPS.",
            event.event_type,
            event.topic,
            extra=fields(event),
        )
    elif event.reason == "no receiver" and log_filter.is_news("no receiver", event.event_type, for_ever=True):
        logger.info(
            "Event type %s on topic %s has no receiver in this service: its records are skipped. If the "
            "type should have a receiver, import the receiver's module in ready() of its app.",
            event.event_type,
            event.topic,
            extra=fields(event),
        )


@lines.of(events.AttemptFailed)
def _(event: events.AttemptFailed, log_filter: LogFilter) -> None:
    if event.outcome == "hold" and not log_filter.is_news("held", error_text(event.error)):
        return  # thousands of records may be held because of one outage
    logger.error(
        "Error consuming event from Kafka: %s (topic=%s, partition=%s, offset=%s, event_type=%s, attempt=%s). "
        "Next attempt in %.1f s (%s). Later records of the same key wait.%s",
        error_text(event.error),
        event.topic,
        event.partition,
        event.offset,
        event.event_type,
        event.attempt,
        event.delay,
        event.outcome,
        stack_text(event.error),
        extra=fields(event),
    )


@lines.of(events.PartitionsAssigned)
def _(event: events.PartitionsAssigned, _: LogFilter) -> None:
    logger.info("Group %s: partitions assigned: %s", event.group, _named(event.partitions), extra=fields(event))


@lines.of(events.PartitionsRevoked)
def _(event: events.PartitionsRevoked, _: LogFilter) -> None:
    log = logger.warning if event.lost or event.unfinished else logger.info
    unfinished = (
        f"; {event.unfinished} receivers still run for records of these partitions; these records will be processed "
        "again"
    )
    log(
        "Group %s: partitions lost: %s%s" if event.lost else "Group %s: partitions revoked: %s%s",
        event.group,
        _named(event.partitions),
        unfinished * bool(event.unfinished),
        extra=fields(event),
    )


@lines.of(events.OffsetsCommitted)
def _(event: events.OffsetsCommitted, _: LogFilter) -> None:
    if logger.isEnabledFor(logging.DEBUG):
        logger.debug("Group %s: offsets committed: %s", event.group, event.offsets, extra=fields(event))


@lines.of(events.CommitFailed)
def _(event: events.CommitFailed, log_filter: LogFilter) -> None:
    if not (event.lost or log_filter.is_news(f"commits of {event.group}", error_text(event.error))):
        return
    logger.warning(
        "Group %s: offsets not committed: %s (partitions: %s); %s",
        event.group,
        error_text(event.error),
        _named(event.partitions),
        "this worker has lost these partitions; the records since the last commit are processed again"
        if event.lost
        else "the commit is repeated while this worker has these partitions",
        extra=fields(event),
    )


@lines.of(events.EmittedEventsLost)
def _(event: events.EmittedEventsLost, _: LogFilter) -> None:
    logger.error(
        "Group %s: %s events that receivers emitted are neither in Kafka nor in the outbox. So this worker stops and "
        "commits no further offsets of %s. The records since the last commit are read again, by another worker or "
        "after a restart, and the receivers emit these events again. An outbox keeps such events: if there is none, "
        "add event_bus_kafka to INSTALLED_APPS, and run manage.py migrate.",
        event.group,
        event.count,
        _named(event.partitions),
        extra=fields(event),
    )


@lines.of(events.OffsetsMoved)
def _(event: events.OffsetsMoved, _: LogFilter) -> None:
    where = ", ".join(f"{topic}[{number}] at {offset}" for topic, number, offset in sorted(event.offsets))
    logger.info(
        "Group %s starts at the offsets for the time %s: %s", event.group, event.time, where, extra=fields(event)
    )


@lines.of(events.OffsetsLost)
def _(event: events.OffsetsLost, _: LogFilter) -> None:
    gone = f"offsets {event.offset} to {event.start - 1} were deleted before the group had read them"
    anew = f"offset {event.offset} does not exist: the topic was recreated, or lost its last records"
    logger.error(
        "Group %s has lost records of %s[%s]: %s. The partition's first offset is %s, its end is %s; the group "
        "continues at %s.",
        event.group,
        event.topic,
        event.partition,
        gone if event.offset < event.start else anew,
        event.start,
        event.end,
        event.to,
        extra=fields(event),
    )


@lines.of(events.WindowFull)
def _(event: events.WindowFull, _: LogFilter) -> None:
    cause = f"record {event.waits_for} is not done: see whether its receivers fail or hang"
    if event.waits_for == "its commit":
        cause = "all of them are done, but their offsets are not committed"
    logger.warning(
        "Group %s: %s[%s] is not read at present, because its window is full: it has %s records that are read and not "
        "committed (limit: EVENT_BUS_KAFKA_CONSUMER_WINDOW_RECORDS). The unfinished ones among them have %s bytes "
        "(limit for all partitions together: EVENT_BUS_KAFKA_CONSUMER_WINDOW_BYTES). Cause: %s.",
        event.group,
        event.topic,
        event.partition,
        event.records,
        event.size,
        cause,
        extra=fields(event),
    )


def _named(partitions: tuple[tuple[str, int], ...]) -> str:
    return ", ".join(f"{topic}[{number}]" for topic, number in sorted(partitions)) or "none"
