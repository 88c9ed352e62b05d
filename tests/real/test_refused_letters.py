"""
Dead letters are stored on a topic. If the topic refuses a letter, the letter is stored without its value, and a replay
reads the value from the topic of the event. If the Kafka client fails fatally, a new client stores the letters (cases
C8 and C9).
"""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import TopicPartition

from event_bus_kafka.dead_letters.topic_store import TopicStore
from event_bus_kafka.errors import DeadLetterStoreFailed
from event_bus_kafka.kafka.producer import Producer
from tests.services.bus import RealBus
from tests.services.kafka import KafkaCluster
from tests.services.refusing_proxy import RefusingProxy
from tests.support.dead_letter_command import dead_letters, listed, table
from tests.support.dead_letters import OnTopic
from tests.support.examples_of import certificate
from tests.support.sending import send
from tests.support.workers import worker
from tests.unit.dead_letters.test_letter import letter, record

__all__ = ["table"]

pytestmark = pytest.mark.real

NO_LOG = {"enable.idempotence": True, "log_level": 0}
LARGE = "x" * 1_200_000
RECEIVERS = "tests.projects.certificates.receivers"
INSTEAD = ("--receiver", f"{RECEIVERS}.note", "--instead-of", f"{RECEIVERS}.fail_for_odd", "--apply")


def test_c8_a_refused_letter_is_stored_without_its_value_and_a_replay_reads_the_value_from_the_topic(
    bus: RealBus, cluster: KafkaCluster, group: str, table: dict[str, Any]
) -> None:
    topic = f"large-{group}"
    cluster.create_topic(topic, 1, {"max.message.bytes": "3000000"})
    kept = OnTopic(bus, group).create()
    large = [certificate(user, grade=LARGE) for user in (1, 3)]
    send(
        bus,
        topic,
        *large,
        certificate(2),
        through={"EVENT_BUS_KAFKA_PRODUCER_OPTIONS": {"message.max.bytes": 3_000_000}},
    )
    with worker(bus, topic, group, "fail_for_odd", **table | kept.settings) as process:
        process.wait_for(lambda: 2 in process.users("fail_for_odd"), "for the event after the large ones")
        process.wait_for(lambda: process.log.count("stored as a dead letter") == 2)
        assert process.stop() == 0
    assert "is stored without its value (1200" in process.log
    assert bus.committed(group, topic) == 3
    for stored in kept.read(2):
        assert stored.record.value == b""
        assert stored.left_out["value"].size > 1_200_000
        assert [(one.receiver, one.attempts) for one in stored.failures] == [(f"{RECEIVERS}.fail_for_odd", 2)]

    dead_letters(bus, table, "import", "-g", group, "--apply")
    first, second = sorted(listed(bus, table), key=lambda one: one["offset"])
    assert first["left_out"]["value"]["size"] > 1_200_000
    ran = dead_letters(bus, table, "replay", str(first["id"]), *INSTEAD, receivers="note")
    assert [len(line["grade"]) for line in ran.heard("note")] == [len(LARGE)]

    admin = cluster.admin()
    (deleted,) = admin.delete_records([TopicPartition(topic, 0, 2)]).values()
    deleted.result(30)
    ran = dead_letters(bus, table, "replay", str(second["id"]), *INSTEAD, receivers="note", exit_code=1)
    assert f"not run: {topic}:0:1: parts missing in its dead letter (value) are not in Kafka any more" in ran.log
    assert ran.users("note") == []
    (stays,) = listed(bus, table)
    assert (stays["id"], stays["attempts"]) == (second["id"], second["attempts"])


def test_c9_letters_are_stored_after_a_fatal_error_of_the_producer(
    bus: RealBus, cluster: KafkaCluster, group: str
) -> None:
    """A proxy refuses one request like a broker that has lost the producer's state."""
    topic = f"{group}.dead-letters"
    cluster.create_topic(topic)
    refusals: list[str] = []
    port = int(bus.bootstrap_servers.rpartition(":")[2])
    made: list[Producer] = []
    with RefusingProxy(port, lambda _: refusals.pop() if refusals else None) as proxy:

        def connect() -> Producer:
            made.append(Producer({"bootstrap.servers": proxy.address, **NO_LOG}))
            return made[-1]

        store = TopicStore(topic, connect)
        store.store(letter(record(offset=1)))
        refusals.append("OUT_OF_ORDER_SEQUENCE_NUMBER")
        with pytest.raises(DeadLetterStoreFailed):
            store.store(letter(record(offset=2)))
        assert made[0].failure
        for offset in (2, 3):
            store.store(letter(record(offset=offset)))
    assert len(made) == 2
    assert [one.record.offset for one in OnTopic(bus, group).read(3)] == [1, 2, 3]
