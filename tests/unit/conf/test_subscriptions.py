"""
A worker gets its topics and its group from the command line. If the command line lacks topics or a group, the settings
may supply them.
"""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from event_bus_kafka.conf.subscriptions import Subscription, subscription
from event_bus_kafka.errors import ConfigurationError
from event_bus_kafka.management.commands.consume_events import Command

TWO: dict[str, Any] = {"a": ["x", "y", "x"], "b": ("z",)}


@pytest.mark.parametrize(
    ("configured", "topics", "group", "expected"),
    [
        ({}, ["x", "y", "x"], "g", Subscription("g", ("x", "y"))),
        (TWO, ["q"], "a", Subscription("a", ("q",))),
        (TWO, [], "a", Subscription("a", ("x", "y"))),
        ({"b": ["z"]}, [], None, Subscription("b", ("z",))),
    ],
)
def test_topics_and_group_come_from_the_settings_if_the_arguments_omit_them(
    configured: Any, topics: list[str], group: str | None, expected: Subscription
) -> None:
    with override_settings(EVENT_BUS_KAFKA_SUBSCRIPTIONS=configured):
        assert subscription(topics, group) == expected


@pytest.mark.parametrize(
    ("configured", "topics", "group", "reason"),
    [
        ({}, [], None, "-t TOPIC -g GROUP, or set EVENT_BUS_KAFKA_SUBSCRIPTIONS"),
        ({}, ["x"], None, "-g GROUP"),
        (TWO, [], None, "-g GROUP: a, b"),
        (TWO, [], "c", "has no group 'c', only a, b"),
        ({"a": []}, [], "a", "'a' is not a list of one or more str"),
        ({"a": "x"}, [], "a", "'a' is not a list of one or more str"),
    ],
)
def test_missing_or_invalid_topics_and_groups_are_reported_before_the_worker_starts(
    configured: Any, topics: list[str], group: str | None, reason: str
) -> None:
    with override_settings(EVENT_BUS_KAFKA_SUBSCRIPTIONS=configured):
        with pytest.raises(ConfigurationError, match=reason):
            subscription(topics, group)
        with pytest.raises(CommandError, match=reason):
            call_command(Command(), *(f"-t{topic}" for topic in topics), group_id=group)
