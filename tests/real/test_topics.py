"""A worker reads several topics. While the worker runs, topics are created, deleted, or get more partitions."""

from __future__ import annotations

from typing import Any

import pytest

from tests.projects.process import ServiceProcess
from tests.services.bus import RealBus
from tests.services.kafka import KafkaCluster
from tests.support.examples_of import certificate
from tests.support.sending import send
from tests.support.workers import OURS_FIRST

pytestmark = pytest.mark.real


@pytest.mark.parametrize("options", [{}, {"group.protocol": "consumer"}], ids=["classic", "consumer"])
def test_case_23_topics_can_be_deleted_or_recreated_or_given_more_partitions_while_others_are_read(
    bus: RealBus, cluster: KafkaCluster, group: str, options: dict[str, Any]
) -> None:
    old, late = f"old-{group}", f"late-{group}"
    bus.create_topic(old)
    classic = {"session.timeout.ms": 6_000, "heartbeat.interval.ms": 500}
    changes: dict[str, Any] = {
        "EVENT_BUS_KAFKA_SUBSCRIPTIONS": {group: [old, late]},
        "EVENT_BUS_KAFKA_CONSUMER_OPTIONS": options or classic,
    }
    settings = bus.settings(None, **OURS_FIRST | changes)

    def arrives(user: int, topic: str) -> None:
        send(bus, topic, certificate(user))
        process.wait_for(lambda: user in process.users("note"), f"for {user} on {topic}")

    with ServiceProcess("consume_events", settings=settings, receivers="note") as process:
        arrives(1, old)
        bus.create_topic(late)
        arrives(2, late)
        arrives(3, old)
        cluster.delete_topic(late)
        process.wait_for(lambda: f"revoked: {late}[0]" in process.log or f"revoked: {late}[0], {old}" in process.log)
        arrives(4, old)
        bus.create_topic(late, 2)
        arrives(5, late)
        cluster.grow_topic(old, 8)
        process.wait_for_log(f"{old}[7]")
        send(bus, old, *map(certificate, range(10, 30)))
        process.wait_for(lambda: set(range(10, 30)) <= set(process.users("note")))
        assert process.stop() == 0
    assert sorted(process.users("note")) == [1, 2, 3, 4, 5, *range(10, 30)]
    assert (
        process.log.count("UNKNOWN_TOPIC_OR_PART") <= 6
    )  # logged at first, then once a minute while the topic is missing
