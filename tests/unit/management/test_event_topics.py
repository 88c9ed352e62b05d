"""
``event_topics`` finds the topics that the settings require, and reports invalid settings. The tests need no real Kafka.
"""

from __future__ import annotations

from typing import Any

import pytest
from django.test import override_settings

from event_bus_kafka.assembly.topics import wanted_topics
from event_bus_kafka.operations.topic_steps import WantedTopic
from event_bus_kafka.sandbox import Sandbox
from tests.services.bus import CREATED, REVOKED
from tests.support.topic_command import topics

pytestmark = pytest.mark.django_db

PRODUCER_CONFIG = {
    CREATED: {
        "certificates": {"event_key_field": "certificate.course.course_key", "enabled": True},
        "switched-off": {"event_key_field": "certificate.course.course_key", "enabled": False},
    },
    REVOKED: {"certificates": {"event_key_field": "certificate.course.course_key", "enabled": True}},
}


def wanted(**settings: Any) -> dict[str, WantedTopic]:
    with override_settings(**settings):
        return {one.name: one for one in wanted_topics()}


def test_required_topics_are_listed_with_their_senders_and_groups_and_settings() -> None:
    found = wanted(
        EVENT_BUS_TOPIC_PREFIX="prod",
        EVENT_BUS_PRODUCER_CONFIG=PRODUCER_CONFIG,
        EVENT_BUS_KAFKA_SUBSCRIPTIONS={"mail": ["certificates", "grades"], "book": ["grades"]},
        EVENT_BUS_KAFKA_TOPICS={"*": {"replication": 3}, "named": {}},
    )
    assert {name: one.uses for name, one in found.items()} == {
        "prod-named": ("named in EVENT_BUS_KAFKA_TOPICS",),
        "prod-certificates": (f"{CREATED} is sent there", f"{REVOKED} is sent there", "group mail reads it"),
        "prod-grades": ("group mail reads it", "group book reads it"),
        "prod-event-bus-probe": ("probe_event_bus",),
    }
    assert {one.replication for one in found.values()} == {3}


def test_topics_of_dead_letters_keep_records_as_long_as_the_retention_setting_says() -> None:
    subscriptions = {"EVENT_BUS_KAFKA_SUBSCRIPTIONS": {"mail": ["grades"]}}
    assert "mail.dead-letters" not in wanted(**subscriptions), "they have a table"
    one = wanted(EVENT_BUS_KAFKA_DEAD_LETTERS="topic", EVENT_BUS_KAFKA_RETENTION=30, **subscriptions)[
        "mail.dead-letters"
    ]
    assert (one.uses, one.options, one.keyed) == (
        ("dead letters of group mail",),
        {"retention.ms": str(30 * 24 * 3600 * 1000)},
        False,
    )


def test_options_of_one_topic_override_options_for_all_topics() -> None:
    given = {
        "*": {"partitions": 6, "replication": 3, "options": {"retention.ms": 1, "compression.type": "zstd"}},
        "grades": {"partitions": 12, "options": {"retention.ms": -1, "unclean.leader.election.enable": False}},
        "event-bus-probe": {"options": {"retention.ms": 5}},
    }
    found = wanted(EVENT_BUS_KAFKA_TOPICS=given)
    grades, probe = found["grades"], found["event-bus-probe"]
    assert (grades.partitions, grades.replication) == (12, 3)
    assert grades.options == {
        "retention.ms": "-1",
        "compression.type": "zstd",
        "unclean.leader.election.enable": "false",
    }
    assert (probe.partitions, probe.replication) == (1, 3)
    assert (probe.options["retention.ms"], probe.options["message.timestamp.type"]) == ("5", "LogAppendTime")


@pytest.mark.parametrize("action", ["plan", "apply", "check"])
def test_the_command_says_that_topics_of_the_sandbox_appear_on_first_use(sandbox: Sandbox, action: str) -> None:
    said = "these brokers cannot create or alter topics (the sandbox creates topics at their first use)."
    settings = {"EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": sandbox.bootstrap_servers}
    assert topics(settings, action) == (1, f"Nothing was done: {said}")


def test_the_command_names_an_invalid_or_missing_setting() -> None:
    code, said = topics({"EVENT_BUS_KAFKA_TOPICS": {"grades": {"partitions": 0}}}, "plan")
    assert (code, "'partitions' must be a whole number" in said) == (1, True)
    code, said = topics({"EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": None}, "plan")
    assert (code, "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS is not set" in said) == (1, True)
