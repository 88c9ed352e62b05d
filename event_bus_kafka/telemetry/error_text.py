"""Errors as texts that may be logged and stored: they never quote event data."""

from __future__ import annotations

import re
from traceback import format_tb

from event_bus_kafka.errors import EventBusError, ReceiversFailed
from event_bus_kafka.shown import Shown


def error_text(error: BaseException) -> str:
    """Return type and text of an error of this package, the type alone of others: their texts may quote event data."""
    if isinstance(error, ReceiversFailed):
        causes = zip(error.receivers, error.exceptions, strict=True)
        return "; ".join(f"receiver {name} raised {error_text(cause)}" for name, cause in causes)
    ours = type(error).__module__ == "event_bus_kafka.errors"
    return f"{type(error).__name__}: {error}" if ours else type(error).__name__


_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`")
_RAISED_BY_HAND = {"P0001", "1644"}
"""A trigger or a procedure of somebody raised it: its text may quote anything."""
_LONGEST = 200


def database_error_text(error: Exception) -> str:
    """
    Return type, number and text of a database's error; the type alone where a server has given no number. What the
    server quotes is left out, but for our own names: it may be a value.
    """
    if isinstance(error, EventBusError):
        return error_text(error)
    cause = error.__cause__ or error
    numbers = [getattr(cause, name, None) for name in ("sqlstate", "pgcode", "sqlite_errorname")]
    number = str(next(filter(None, numbers), None) or next((one for one in cause.args if isinstance(one, int)), ""))
    texts = [one for one in cause.args if isinstance(one, str)] if number and number not in _RAISED_BY_HAND else []
    first_line = next(iter(texts[-1].splitlines()), "") if texts else ""
    text = _QUOTED.sub(lambda found: found[0] if "event_bus_kafka" in found[0] else "'…'", first_line)
    return " ".join(filter(None, (type(error).__name__, number, text[:_LONGEST])))


def stack_text(error: Exception) -> str:
    """Return where receivers failed, as lines that begin with a line break; empty for other errors."""
    causes = error.exceptions if isinstance(error, ReceiversFailed) else ()
    return Shown("".join(f"\n{trace_text(cause)}" for cause in causes))


def trace_text(error: BaseException) -> str:
    """Return an error's type and frames, without its text: several lines."""
    return Shown(f"{type(error).__name__} in:\n{''.join(format_tb(error.__traceback__)).rstrip()}")
