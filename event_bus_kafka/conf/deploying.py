"""Settings for deploys, with the properties of the topics that a deploy creates or changes."""

from __future__ import annotations

from typing import Any, TypedDict, cast

from event_bus_kafka.conf.kinds import Setting, mapping_of
from event_bus_kafka.conf.policies import TOPIC, TOPIC_OPTIONS

ALL_TOPICS = "*"
"""The key in EVENT_BUS_KAFKA_TOPICS whose value has defaults for all topics. The other keys are names of topics."""


class SettingsOfTopic(TypedDict, total=False):
    """The properties of a topic that a service may set; ``options`` are Kafka's topic options by name."""

    partitions: int
    replication: int
    options: dict[str, str]


class DeploySettings:
    """The settings for deploys, as attributes."""

    topics = Setting(
        "EVENT_BUS_KAFKA_TOPICS",
        mapping_of(TOPIC, "topic → partitions, replication, options"),
        {},
        "Topic (without prefix) → partitions, replication and options (Kafka's, by name) that event_topics gives it; "
        "the topic '*' sets defaults for all topics. The brokers choose values that are not set.",
    )


def settings_of_topic(given: dict[str, dict[str, Any]], topic: str, own: SettingsOfTopic) -> SettingsOfTopic:
    """
    Return the properties of a topic. The entry for ``topic`` in ``given`` takes precedence over ``own``, and ``own``
    takes precedence over the entry ``*`` in ``given``. ``own`` contains the package's defaults for the topic.
    """
    layers = [given.get(ALL_TOPICS, {}), own, given.get(topic, {})]
    merged: dict[str, Any] = {name: value for layer in layers for name, value in layer.items()}
    options = {name: value for layer in layers for name, value in TOPIC_OPTIONS.read(layer.get("options", {})).items()}
    return cast(SettingsOfTopic, merged | {"options": options})
