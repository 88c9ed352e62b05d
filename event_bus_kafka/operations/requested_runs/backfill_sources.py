"""Finds the sources of this service's backfills, their topics, and the number of their items."""

from __future__ import annotations

from event_bus_kafka.conf.routes import routes
from event_bus_kafka.dead_letters.letter import Failure
from event_bus_kafka.errors import ConfigurationError, EventBusError, WorkerFailed
from event_bus_kafka.producing.backfill import Source, sources
from event_bus_kafka.producing.routing import Route
from event_bus_kafka.telemetry.error_text import error_text


def all_sources() -> dict[str, Source]:
    """
    Return all sources by name. Raises :class:`ConfigurationError` if two sources have the same name, or if an app's
    module of sources cannot be imported.
    """
    try:
        return sources()
    except EventBusError:
        raise
    except Exception as error:
        raise ConfigurationError(f"A module 'backfill' of an app cannot be imported: {reason_of(error)}") from error


def enabled_routes(source: Source) -> list[Route]:
    """Return the enabled routes for the events of a source."""
    return [route for route in routes() if route.event_type == source.signal.event_type and route.enabled]


def count_items(source: Source, after: str | None, limit: int | None) -> int:
    """
    Return the number of items after the token ``after``, at most ``limit``. Raises :class:`WorkerFailed` if the source
    raises, for example because it does not know the token.
    """
    try:
        total = source.count(after)
    except Exception as error:
        advice = "" if after is None else "; see whether --resume has a token of this source"
        raise WorkerFailed(f"{source.name} raised {reason_of(error)}{advice}", exit_code=1) from error
    return total if limit is None else min(total, limit)


def reason_of(error: BaseException) -> str:
    """
    Return the text of an error that a source or an item raised. If the error is not from this package, the text also
    names the place in the code.
    """
    if isinstance(error, EventBusError):
        return error_text(error)
    failure = Failure.of(error, "a source") if isinstance(error, Exception) else None
    return f"{failure.error} in {failure.place}" if failure else type(error).__name__
