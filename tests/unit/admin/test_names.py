"""Long names are shown so that a browser breaks them where people would."""

from __future__ import annotations

import pytest
from django.template import Context, Template


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mail.receivers", "mail.receivers"),
        ("org.openedx.learning.v1", "org.<wbr>openedx.<wbr>learning.<wbr>v1"),
        ("UNKNOWN_TOPIC_OR_PART", "UNKNOWN_<wbr>TOPIC_<wbr>OR_<wbr>PART"),
        ("It ended. See the log of 10.30 p.m.", "It ended. See the log of 10.30 p.m."),
        ("a.very.long.name<script>&", "a.<wbr>very.<wbr>long.<wbr>name&lt;script&gt;&amp;"),
        ("<script>", "&lt;script&gt;"),
        (1234567, "1234567"),
    ],
)
def test_long_names_break_at_dots_and_underscores_and_are_escaped(text: object, shown: str) -> None:
    template = Template("{% load event_bus_names %}{{ text|breakable }}")
    assert template.render(Context({"text": text})) == shown
