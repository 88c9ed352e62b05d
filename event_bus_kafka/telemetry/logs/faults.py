"""The log lines about exceptions in callbacks, and in threads of this package."""

from __future__ import annotations

from traceback import extract_tb

from event_bus_kafka.shown import logger_named
from event_bus_kafka.telemetry import events
from event_bus_kafka.telemetry.logs.fields import fields
from event_bus_kafka.telemetry.logs.lines import Lines
from event_bus_kafka.telemetry.logs.log_filter import LogFilter

logger = logger_named("event_bus_kafka")
lines = Lines()


@lines.of(events.CallbackFailed)
def _(event: events.CallbackFailed, log_filter: LogFilter) -> None:
    if log_filter.is_news("callback", f"{event.callback} {type(event.error).__name__}"):
        logger.error(
            "%s raised %s (%s); the event bus continues",
            event.callback,
            *_type_and_place(event.error),
            extra=fields(event),
        )


@lines.of(events.ThreadStumbled)
def _(event: events.ThreadStumbled, log_filter: LogFilter) -> None:
    if log_filter.is_news("thread", f"{event.thread} {type(event.error).__name__}"):
        logger.error(
            "The thread %s continues after an unexpected %s (%s)",
            event.thread,
            *_type_and_place(event.error),
            extra=fields(event),
        )


def _type_and_place(error: BaseException) -> tuple[str, str]:
    """Return the error's type and place in the code, without its text, which might quote event data."""
    places = extract_tb(error.__traceback__)
    place = f"at {places[-1].filename}:{places[-1].lineno} in {places[-1].name}" if places else "at an unknown place"
    return type(error).__name__, place
