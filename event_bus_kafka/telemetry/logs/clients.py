"""The log lines about clients of Kafka and of the schema registry."""

from __future__ import annotations

import logging
import re

from event_bus_kafka.shown import logger_named
from event_bus_kafka.telemetry import events
from event_bus_kafka.telemetry.error_text import error_text
from event_bus_kafka.telemetry.logs.fields import fields
from event_bus_kafka.telemetry.logs.lines import Lines
from event_bus_kafka.telemetry.logs.log_filter import LogFilter
from event_bus_kafka.trouble import Trouble

logger = logger_named("event_bus_kafka")
lines = Lines()
_TOPIC_AWAITED = re.compile(r"Subscribed topic not available: ([\w.-]+)")
"""The text with which librdkafka reports that a subscribed topic does not exist in Kafka."""


@lines.of(events.ClientErrorReported)
def _(event: events.ClientErrorReported, log_filter: LogFilter) -> None:
    by_topic = event.kind in (Trouble.MISSING, Trouble.FORBIDDEN)
    what = f"{event.topic} {error_text(event.error)}" if by_topic else f"{event.code} {event.kind}"
    if not log_filter.is_news(event.client, what):
        return
    if event.kind == Trouble.REFUSED:
        logger.info(
            "Kafka %s: a request was refused, and the client has stopped so that later records do not overtake "
            "the records of this request. A new client replaces it. The client's error: %s",
            event.client,
            error_text(event.error),
            extra=fields(event),
        )
    elif event.kind == Trouble.MISSING and (topic := _TOPIC_AWAITED.search(error_text(event.error))):
        text = "Kafka %s: topic %s does not exist; the worker waits for it to be created"
        logger.warning(text, event.client, topic[1], extra=fields(event))
    else:
        advice = "the client goes on trying"
        if event.fatal:
            advice = "the client cannot be used any more; this process makes a new client, unless it ends"
        about = f"topic {event.topic}: " * bool(by_topic and event.topic)
        logger.error("Kafka %s: %s%s; %s", event.client, about, error_text(event.error), advice, extra=fields(event))


@lines.of(events.ProducerStatistics)
def _(event: events.ProducerStatistics, _: LogFilter) -> None:
    if logger.isEnabledFor(logging.DEBUG):
        logger.debug(
            "Kafka producer: %s records (%s bytes) wait for confirmation; %s records were sent in total; "
            "%s of %s brokers are up",
            event.queued,
            event.queued_bytes,
            event.sent,
            event.brokers_up,
            event.brokers,
            extra=fields(event),
        )


@lines.of(events.ConnectionChanged)
def _(event: events.ConnectionChanged, _: LogFilter) -> None:
    if event.state == "connected":
        logger.info("Kafka %s: connected", event.client, extra=fields(event))
    else:
        logger.error(
            "Kafka %s: %s (%s); the client keeps trying to connect",
            event.client,
            event.state,
            event.reason,
            extra=fields(event),
        )


@lines.of(events.RegistryFailed)
def _(event: events.RegistryFailed, log_filter: LogFilter) -> None:
    if log_filter.is_news("registry", error_text(event.error)):
        logger.error("Schema registry: a request failed: %s", error_text(event.error), extra=fields(event))
