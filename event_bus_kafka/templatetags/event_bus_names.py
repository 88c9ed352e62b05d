"""A filter for long names of event types, receivers and errors, and for commands."""

from __future__ import annotations

import re

from django import template
from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

_TIME = r"\d\d:\d\d(?::\d\d)? [A-Z]{2,5}(?:[+-]\d+)?\b"
_NAMES = re.compile(rf"(\S{{33,}}|(?<!\S)(?:\d{{4}})?-\S+|(?<!\S){_TIME})")
"""
Long words; dates and options of commands, which browsers would otherwise break after their hyphens; and times of a day
with their zones, as :func:`event_bus_kafka.admin.ages.moment` writes them.
"""
_BREAKS = re.compile(r"(?<=[./_])(?=[^\W_])(?!py:)")
"""Places at which names may be broken. A file's name before a line number keeps its ending, as in ``worker.py:7``."""

register = template.Library()


@register.filter
def breakable(text: object) -> object:
    """
    Let a browser move a text's long names and times to the next line, and break the names at dots, slashes and
    underscores if a line is too short. Otherwise the browser would break the names in the middle of words.
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
    breakable = format_html_join(mark_safe("<wbr>"), "{}", ((part,) for part in _BREAKS.split(text)))
    return format_html('<span class="event-bus-name">{}</span>', breakable)
