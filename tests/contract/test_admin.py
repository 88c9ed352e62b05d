""":class:`Admin` lists and creates topics. Its errors say whether a later call can succeed."""

from __future__ import annotations

import pytest

from event_bus_kafka.errors import BrokerError
from event_bus_kafka.kafka.admin import Admin, TopicLayout
from event_bus_kafka.sandbox import Sandbox
from tests.services.bus import Bus
from tests.services.silence import black_hole
from tests.support.outbox_service import until


def admin(servers: str) -> Admin:
    return Admin({"bootstrap.servers": servers})


def test_topics_are_listed_with_their_partitions_and_their_replication(bus: Bus, topic: str) -> None:
    bus.create_topic(f"{topic}-wide", 3)
    asked = admin(bus.bootstrap_servers)
    until(lambda: f"{topic}-wide" in asked.topics(timeout=10))  # the broker learns of the topic after the controller
    topics = asked.topics(timeout=10)
    assert topics[topic] == TopicLayout(partitions=1, replication=1)
    assert topics[f"{topic}-wide"] == TopicLayout(partitions=3, replication=1)


def test_listing_topics_of_a_silent_cluster_raises_a_retriable_error() -> None:
    with black_hole() as address, pytest.raises(BrokerError) as caught:
        admin(address).topics(timeout=0.2)
    assert (caught.value.code, caught.value.retriable) == ("_TRANSPORT", True)


def test_creating_a_topic_on_a_silent_cluster_raises_a_retriable_error_after_the_timeout() -> None:
    with black_hole() as address, pytest.raises(BrokerError) as caught:
        admin(address).create_topic("t", partitions=1, replication=1, timeout=0.2)
    assert (caught.value.code, caught.value.retriable) == ("_TIMED_OUT", True)


@pytest.mark.real
def test_creating_an_existing_topic_does_not_change_it(real_bus: Bus) -> None:
    """This test needs a real Kafka: the sandbox answers no request to create a topic."""
    client = admin(real_bus.bootstrap_servers)
    client.create_topic("once", partitions=2, replication=1, timeout=10)
    client.create_topic("once", partitions=3, replication=1, timeout=10)
    until(lambda: "once" in client.topics(timeout=10))  # a new topic is not known at once
    assert client.topics(timeout=10)["once"].partitions == 2


@pytest.mark.real
def test_creating_a_topic_with_an_invalid_name_raises_an_error(real_bus: Bus) -> None:
    """This test needs a real Kafka: the sandbox answers no request to create a topic."""
    with pytest.raises(BrokerError) as caught:
        admin(real_bus.bootstrap_servers).create_topic("no topic", partitions=1, replication=1, timeout=10)
    assert (caught.value.code, caught.value.retriable) == ("TOPIC_EXCEPTION", False)


def test_require_controller_raises_an_error_on_the_sandbox(sandbox: Sandbox) -> None:
    with pytest.raises(BrokerError, match="the sandbox creates topics at their first use") as caught:
        admin(sandbox.bootstrap_servers).require_controller(timeout=10)
    assert caught.value.code == "_UNSUPPORTED_FEATURE"
