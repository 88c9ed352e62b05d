"""A filter for long names of event types, receivers and errors, and for commands."""

from __future__ import annotations

import re
from collections.abc import Iterator

from django import template
from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

_TIME = r"\d\d:\d\d(?::\d\d)? [A-Z]{2,5}(?:[+-]\d+)?\b"
_NAMES = re.compile(rf"(\S{{33,}}|(?<!\S)[^\s-]*-\S+|(?<!\S){_TIME})")
"""
Matches long words, words with hyphens, and times of day with their zones, in the format of
:func:`event_bus_kafka.admin.ages.moment`. Words with hyphens are topics, dates and options of commands. Browsers would
otherwise break them after the hyphens.
"""
_BREAKS = re.compile(r"(?<=[./])(?=[^\W_])(?!py:|v\d+\b)")
"""
Places at which names may be broken. A file's name before a line number keeps its ending, as in ``worker.py:7``, and an
event type keeps its version beside its last word.
"""
_LONG = 20
"""Parts of names with more characters than this may also be broken after each underscore."""
_UNDERSCORES = re.compile(r"(?<=_)(?=[^\W_])")

register = template.Library()


@register.filter
def breakable(text: object) -> object:
    """
    Return ``text`` as HTML in which a browser moves long names and times to the next line as a whole. If a name is
    longer than a line, the browser breaks the name after a dot or slash, or after an underscore in a long part.
    Otherwise the browser would break names in the middle of words.
    """
    if not isinstance(text, str | Promise):
        return text
    parts = _NAMES.split(str(text))  # each second part is a name
    if len(parts) == 1:
        return text
    return format_html_join("", "{}", ((_name(part) if index % 2 else part,) for index, part in enumerate(parts)))


def _name(text: str) -> SafeString:
    if " " in text:  # only a time has a space
        return format_html('<span class="event-bus-time">{}</span>', text)
    breakable = format_html_join(mark_safe("<wbr>"), "{}", ((part,) for part in _parts(text)))
    return format_html('<span class="event-bus-name">{}</span>', breakable)


def _parts(name: str) -> Iterator[str]:
    for part in _BREAKS.split(name):
        yield from _UNDERSCORES.split(part) if len(part) > _LONG else (part,)
