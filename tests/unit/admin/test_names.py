"""Long names are written so that a browser breaks lines at dots and underscores."""

from __future__ import annotations

import pytest
from django.template import Context, Template
from django.test import override_settings


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mail.receivers", "mail.receivers"),
        ("org.openedx.learning.course.run.v1", "org.<wbr>openedx.<wbr>learning.<wbr>course.<wbr>run.<wbr>v1"),
        (
            "REQUEST: NETWORK_EXCEPTION_OF_THE_OTHER_SIDE",
            "REQUEST: NETWORK_<wbr>EXCEPTION_<wbr>OF_<wbr>THE_<wbr>OTHER_<wbr>SIDE",
        ),
        ("It ended. See the log of 10.30 p.m.", "It ended. See the log of 10.30 p.m."),
        (
            "a.name.of.a.length<script>&amp<script>",
            "a.<wbr>name.<wbr>of.<wbr>a.<wbr>length&lt;script&gt;&amp;amp&lt;script&gt;",
        ),
        ("<script>", "&lt;script&gt;"),
        (1234567, "1234567"),
    ],
)
def test_long_names_are_escaped_and_break_at_dots_or_underscores(text: object, shown: str) -> None:
    template = Template("{% load event_bus_names %}{{ text|breakable }}")
    assert template.render(Context({"text": text})) == shown


@override_settings(USE_THOUSAND_SEPARATOR=True)
def test_numbers_have_the_format_from_the_settings_of_the_service() -> None:
    template = Template("{% load event_bus_names %}{{ number|breakable }}")
    assert template.render(Context({"number": 1234567})) == "1,234,567"
