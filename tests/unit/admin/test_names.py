"""
A browser may break a long name after each dot and slash. In a long part of a name, a browser may also break the line
after each underscore.
"""

from __future__ import annotations

import pytest
from django.template import Context, Template
from django.test import override_settings
from django.utils.translation import gettext_lazy


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mail.receivers", "mail.receivers"),
        ("It is org.openedx.learning.course.run.v1.", "It is {org.|openedx.|learning.|course.|run.v1.}"),
        (
            "REQUEST: NETWORK_EXCEPTION_OF_THE_OTHER_SIDE",
            "REQUEST: {NETWORK_|EXCEPTION_|OF_|THE_|OTHER_|SIDE}",
        ),
        ("/srv/learning/receivers/of_courses.py:7 in keep", "{/|srv/|learning/|receivers/|of_courses.py:7} in keep"),
        ("app.receivers.of_courses.keep_course_run", "{app.|receivers.|of_courses.|keep_course_run}"),
        ("of the topic demo-learning-nowhere: no", "of the topic {demo-learning-nowhere:} no"),
        ("consume_events -g mail --once", "consume_events {-g} mail {--once}"),
        ("emitted 2026-11-30T14:32:25 by lms-web", "emitted {2026-11-30T14:32:25} by {lms-web}"),
        ("It ended. See the log of 10.30 p.m. - or later", "It ended. See the log of 10.30 p.m. - or later"),
        ("a.name.of.a.length<script>&amp<script>", "{a.|name.|of.|a.|length&lt;script&gt;&amp;amp&lt;script&gt;}"),
        ("<script>", "&lt;script&gt;"),
        ("<script> --all", "&lt;script&gt; {--all}"),
        (gettext_lazy("such as 2026-01-31T08:00Z"), "such as {2026-01-31T08:00Z}"),
        ("2026-01-31 08:00:05 UTC", "{2026-01-31} [08:00:05 UTC]"),
        ("at 08:00 UTC-03, 08:00 o'clock", "at [08:00 UTC-03], 08:00 o&#x27;clock"),
        (1234567, "1234567"),
    ],
)
def test_long_names_break_only_after_dots_and_slashes_or_in_long_parts_and_are_escaped(
    text: object, shown: str
) -> None:
    """
    In ``shown``, braces enclose text that stays on one line if possible. Brackets enclose a time, which always stays on
    one line. A bar marks a place where the line may break.
    """
    template = Template("{% load event_bus_names %}{{ text|breakable }}")
    marks = {
        "{": '<span class="event-bus-name">',
        "[": '<span class="event-bus-time">',
        "}": "</span>",
        "]": "</span>",
        "|": "<wbr>",
    }
    assert template.render(Context({"text": text})) == "".join(marks.get(one, one) for one in shown)


@override_settings(USE_THOUSAND_SEPARATOR=True)
def test_numbers_have_the_format_from_the_settings_of_the_service() -> None:
    template = Template("{% load event_bus_names %}{{ number|breakable }}")
    assert template.render(Context({"number": 1234567})) == "1,234,567"
