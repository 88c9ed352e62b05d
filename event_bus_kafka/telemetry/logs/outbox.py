"""The log lines of the outbox and its relays."""

from __future__ import annotations

import logging
from functools import singledispatch
from typing import Protocol

from event_bus_kafka.errors import EventBusError
from event_bus_kafka.telemetry import events
from event_bus_kafka.telemetry.error_text import error_text
from event_bus_kafka.telemetry.events import LifecycleEvent

logger = logging.getLogger("event_bus_kafka")


class IsNews(Protocol):
    """Whether something has not been said for a minute."""

    def __call__(self, source: str, what: str) -> bool: ...


@singledispatch
def log(event: LifecycleEvent, is_news: IsNews) -> None:
    """Log a lifecycle event. Raises TypeError for one that has no line."""
    raise TypeError(f"no log line for {type(event).__name__}")


@log.register
def _(event: events.EventAppended, is_news: IsNews) -> None:
    logger.debug("Event %s waits in the outbox for topic %s", event.event_id, event.topic)


@log.register
def _(event: events.EventSpilled, is_news: IsNews) -> None:
    logger.warning(
        "Event not delivered, kept in the outbox of database %s for manage.py relay_events: %s (topic=%s, "
        "event_type=%s, message_id=%s)",
        event.database,
        error_text(event.error),
        event.topic,
        event.event_type,
        event.event_id,
    )


@log.register
def _(event: events.SpillDelayed, is_news: IsNews) -> None:
    if is_news("spill", f"{event.database} {error_text(event.error)}"):
        logger.error(
            "%s events that Kafka did not confirm wait in memory: the outbox does not take them: %s",
            event.waiting,
            error_text(event.error),
        )


@log.register
def _(event: events.AppendToOutboxFailed, is_news: IsNews) -> None:
    logger.error(
        "An event could not be put into the outbox: %s (topic=%s, event_type=%s, message_id=%s); %s",
        error_text(event.error),
        event.topic,
        event.event_type,
        event.event_id,
        "its transaction fails with it" if event.doomed else "it is sent on commit",
    )


@log.register
def _(event: events.OutboxStalled, is_news: IsNews) -> None:
    if is_news("stalled", event.database):
        logger.warning(
            "The oldest row in the outbox of database %s is %.0f s old: is manage.py relay_events running, and can it "
            "send? See manage.py event_outbox status.",
            event.database,
            event.oldest,
        )


@log.register
def _(event: events.RowParked, is_news: IsNews) -> None:
    logger.error(
        "Outbox row %s is parked: %s (topic=%s, event_type=%s, message_id=%s). See manage.py event_outbox parked.",
        event.row,
        error_text(event.error),
        event.topic,
        event.event_type,
        event.event_id,
    )


@log.register
def _(event: events.TopicHeld, is_news: IsNews) -> None:
    if is_news("held", f"{event.topic} {error_text(event.error)}"):
        logger.error(
            "Topic %s takes no records: %s; its rows wait in the outbox, others go on. Tried again in %.0f s.",
            event.topic,
            error_text(event.error),
            event.delay,
        )


@log.register
def _(event: events.TopicResumed, is_news: IsNews) -> None:
    logger.info("Topic %s takes records again", event.topic)


@log.register
def _(event: events.RelayInterrupted, is_news: IsNews) -> None:
    if event.unconfirmed or is_news("relay", error_text(event.error)):
        cause = error_text(event.error)
        if not isinstance(event.error, EventBusError):
            cause = f"its database raised {cause}"
        twice = f"; {event.unconfirmed} rows that may have arrived are sent again" if event.unconfirmed else ""
        logger.error("The relay was interrupted: %s. It begins anew in %.1f s%s.", cause, event.delay, twice)


@log.register
def _(event: events.RelayProgress, is_news: IsNews) -> None:
    parked = ", ".join(f"{count} × {code}" for code, count in event.parked) or "none"
    logger.info(
        "Relay of database %s: sent %s, %.0f/s; %s wait, the oldest for %.1f s; parked: %s; topics held: %s",
        event.database,
        event.sent,
        event.rate,
        event.depth,
        event.oldest,
        parked,
        ", ".join(event.held) or "none",
    )


@log.register
def _(event: events.ParkedRowsPurged, is_news: IsNews) -> None:
    if event.count:
        logger.info("Deleted %s parked rows older than EVENT_BUS_KAFKA_RETENTION", event.count)
