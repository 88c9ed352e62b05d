"""
Makes texts of other parties safe to show: replaces characters that affect a terminal or a log, and cuts long texts.

Other parties write event types, headers, client ids, names in imported dead letters and answers of servers. A line
break could forge a log line, an escape sequence could rewrite the screen, and a mark of direction could reverse text.
All loggers, errors and commands of this package pass such texts through :func:`shown`.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from traceback import format_tb
from typing import Any
from unicodedata import category

LONGEST = 2_000
"""Maximum number of characters of one value."""
_LONGEST_LABEL = 255
_DEEPEST_CAUSE = 10


class Shown(str):
    """
    A text whose parts have already passed :func:`shown`, for example the lines of a stack or a list of ids. As an
    argument of a log line it is neither cut nor changed.
    """

    __slots__ = ()


_AS_THEY_ARE = frozenset({int, float, bool, type(None), Shown})


def shown(value: object, longest: int = LONGEST) -> str:
    """
    Return ``value`` as text without control characters, line breaks, escapes and marks of direction. A text of more
    than ``longest`` characters is cut, and ends with the number of missing characters.
    """
    text = _text(value)
    left = len(text) - longest
    if left > 0:
        text = text[:longest]
    if not text.isprintable():
        text = "".join([one if one.isprintable() else _stand_in(one) for one in text])
    return f"{text}… ({left} characters more)" if left > 0 else text


def _stand_in(character: str) -> str:
    """
    Return the replacement for a character that is not printable. A special space, which names in some languages
    contain, becomes an ordinary space. Any other character becomes the replacement character.
    """
    return " " if category(character) == "Zs" else "\N{REPLACEMENT CHARACTER}"


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception as error:  # noqa: BLE001 str() of any error may raise; writing a log line must not
        return f"{type(value).__name__}, whose text raised {type(error).__name__}"


def label(value: str) -> str:
    """Return ``value`` cut to 255 characters and safe to show, as a label of a metric or an attribute of a span."""
    return shown(value[:_LONGEST_LABEL]) if len(value) > _LONGEST_LABEL or not value.isprintable() else value


def shown_time(milliseconds: int, timespec: str = "auto") -> str:
    """
    Return a time, given in milliseconds since the epoch, in ISO 8601 and UTC. If the time is outside the years that
    Python knows, return the number of milliseconds with ``ms``.
    """
    try:
        return (datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds)).isoformat(timespec=timespec)
    except OverflowError:  # clients may write any timestamp
        return f"{milliseconds} ms"


class _Cleaning(logging.Filter):
    """Makes the arguments and the exception of a log record safe to show."""

    def filter(self, record: logging.LogRecord) -> bool:
        args = record.args
        if type(args) is tuple and args and not record.exc_info:
            for one in args:  # inline, without calls: each event has two log lines, and nearly all arguments are safe
                if type(one) is str:
                    if not one.isprintable() or len(one) > LONGEST:
                        break
                elif type(one) not in _AS_THEY_ARE:
                    break
            else:
                return True
        self._clean(record)
        return True

    def _clean(self, record: logging.LogRecord) -> None:
        if isinstance(record.args, tuple):
            record.args = tuple([_argument(one) for one in record.args])
        elif isinstance(record.args, dict):
            record.args = {name: _argument(one) for name, one in record.args.items()}
        if not record.args:
            record.msg = shown(record.msg)
        if record.exc_info and record.exc_info[1] is not None and not record.exc_text:
            record.exc_text = _trace(record.exc_info[1])


_CLEANING = _Cleaning()


def logger_named(name: str) -> logging.Logger:
    """Return a logger whose lines are safe to show in every handler."""
    logger = logging.getLogger(name)
    logger.addFilter(_CLEANING)
    return logger


def _argument(value: Any) -> Any:
    return value if type(value) in _AS_THEY_ARE else shown(value)


def _trace(error: BaseException) -> str:
    """Return the stacks of an error and of its causes, with safe texts. The error itself comes first."""
    parts: list[str] = []
    current: BaseException | None = error
    while current is not None and len(parts) < _DEEPEST_CAUSE:
        parts.append(
            f"{type(current).__name__}: {shown(current)}\n{''.join(format_tb(current.__traceback__))}".rstrip()
        )
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return "\nafter ".join(parts)
