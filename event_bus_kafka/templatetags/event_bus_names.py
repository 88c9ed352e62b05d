"""A filter for long names of event types, receivers and errors."""

from __future__ import annotations

import re

from django import template
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe

_LONG = 32
"""Maximum number of characters of a word that needs no place to break."""
_BREAKS = re.compile(r"(?<=[._])(?=[^\W_])")

register = template.Library()


@register.filter
def breakable(text: object) -> object:
    """
    Let a browser break a text's long names at dots and underscores. Otherwise the browser would break the names in the
    middle of words.
    """
    if not isinstance(text, str) or all(len(word) <= _LONG for word in text.split()):
        return text
    return format_html_join(mark_safe("<wbr>"), "{}", ((part,) for part in _BREAKS.split(text)))
