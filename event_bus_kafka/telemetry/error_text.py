"""Errors as texts that may be logged and stored: they never quote event data."""

from __future__ import annotations

from traceback import format_tb

from event_bus_kafka.errors import ReceiversFailed


def error_text(error: Exception) -> str:
    """Return type and text of an error of this package, the type alone of others: their texts may quote event data."""
    if isinstance(error, ReceiversFailed):
        causes = zip(error.receivers, error.exceptions, strict=True)
        return "; ".join(f"receiver {name} raised {error_text(cause)}" for name, cause in causes)
    ours = type(error).__module__ == "event_bus_kafka.errors"
    return f"{type(error).__name__}: {error}" if ours else type(error).__name__


def stack_text(error: Exception) -> str:
    """Return where receivers failed, as lines that begin with a line break; empty for other errors."""
    causes = error.exceptions if isinstance(error, ReceiversFailed) else ()
    return "".join(
        f"\n{type(cause).__name__} in:\n{''.join(format_tb(cause.__traceback__)).rstrip()}" for cause in causes
    )
