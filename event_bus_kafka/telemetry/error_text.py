"""Texts of errors for logs and tables. The texts never quote event data."""

from __future__ import annotations

import re
from traceback import format_tb

from event_bus_kafka.errors import EventBusError, ReceiversFailed
from event_bus_kafka.shown import Shown


def error_text(error: BaseException) -> str:
    """
    Return the error's type, and also its text if ``event_bus_kafka.errors`` defines its class. The text of any other
    error may quote event data. For ReceiversFailed, return the names of the failed receivers with such a text for each
    receiver's exception.
    """
    if isinstance(error, ReceiversFailed):
        causes = zip(error.receivers, error.exceptions, strict=True)
        return "; ".join(f"receiver {name} raised {error_text(cause)}" for name, cause in causes)
    ours = type(error).__module__ == "event_bus_kafka.errors"
    return f"{type(error).__name__}: {error}" if ours else type(error).__name__


_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`")
_RAISED_BY_HAND = {"P0001", "1644"}
"""Codes of exceptions that triggers and procedures raise. The texts of these exceptions may quote any data."""
_LONGEST = 200


def database_error_text(error: Exception) -> str:
    """
    Return a database error's type, its number, and the first line of its text, cut to 200 characters. Omit the text if
    the server gave no number, or if a trigger or procedure raised the error. Omit quoted parts of the text, because
    they may be values; keep only quoted names that contain this app's name.

    For an error of this package, return :func:`error_text`.
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
    """
    If ``error`` is ReceiversFailed, return the stacks of the failed receivers, each after a line break. Otherwise
    return an empty text.
    """
    causes = error.exceptions if isinstance(error, ReceiversFailed) else ()
    return Shown("".join(f"\n{trace_text(cause)}" for cause in causes))


def trace_text(error: BaseException) -> str:
    """Return an error's type and stack, without its text, in several lines."""
    return Shown(f"{type(error).__name__} in:\n{''.join(format_tb(error.__traceback__)).rstrip()}")
