"""Workers read topics whose offsets have gaps, because the topics are compacted or written in transactions."""

from __future__ import annotations

from time import monotonic

import pytest
from confluent_kafka import Producer, TopicPartition

from tests.services.bus import RealBus
from tests.services.kafka import KafkaCluster
from tests.support.examples_of import certificate
from tests.support.replays import heard, replay
from tests.support.replays import receivers as receivers
from tests.support.sending import send
from tests.support.workers import worker

pytestmark = pytest.mark.real

COMPACTED = {"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.01"}


def test_case_26_a_compacted_topic_is_read_to_its_end(bus: RealBus, cluster: KafkaCluster, group: str) -> None:
    topic = f"compacted-{group}"
    cluster.create_topic(topic, config=COMPACTED)
    for _ in range(3):
        send(bus, topic, *map(certificate, (1, 2, 1, 3, 1)))
    send(bus, topic, certificate(4))
    send(bus, topic, certificate(5))
    once_compacted(bus, topic, 5)
    with worker(bus, topic, group, "note") as process:
        process.wait_for(lambda: process.users("note")[-1:] == [5])
        assert process.stop() == 0
    assert process.users("note") == [2, 3, 1, 4, 5]
    assert bus.committed(group, topic) == 17
    assert replayed(bus, topic, "1", "12") == [2]  # both offsets were removed


def replayed(bus: RealBus, topic: str, start: str, end: str) -> list[int]:
    heard.clear()
    assert "ended with" not in replay(bus, topic, "--from", start, "--to", end, "--apply")
    return list(heard)


def once_compacted(bus: RealBus, topic: str, count: int) -> None:
    """Wait until Kafka's compaction has left only `count` records."""
    deadline = monotonic() + 60
    while len(bus.records(topic, 17, seconds=2)) != count:
        assert monotonic() < deadline, "Kafka did not compact the topic"


def test_case_26_records_of_committed_transactions_are_processed_once_and_aborted_records_are_skipped(
    bus: RealBus, cluster: KafkaCluster, topic: str, group: str
) -> None:
    users = list(range(1, 7))
    source = f"source-{group}"
    bus.create_topic(source)
    send(bus, source, *map(certificate, users))
    records = bus.records(source, len(users))
    options = {"bootstrap.servers": bus.bootstrap_servers, "transactional.id": group, "log_level": 0}
    producer = Producer(options)
    producer.init_transactions(30)
    for record in records:
        for end in (producer.abort_transaction, producer.commit_transaction):
            producer.begin_transaction()
            headers = dict(record.headers() or [])
            producer.produce(topic, key=record.key(), value=record.value(), headers=headers, partition=0)
            assert producer.flush(10) == 0
            end(10)
    with worker(bus, topic, group, "note") as process:
        process.wait_for_users("note", users)
        assert process.stop() == 0
    # A transaction marker follows each record, aborted or not; the offset of the last marker is not committed.
    assert bus.committed(group, topic) == 4 * len(users) - 1
    assert replayed(bus, topic, "earliest", "latest") == users
    assert replayed(bus, topic, "3", "22") == users[1:5]  # both offsets are those of markers
    producer.begin_transaction()
    producer.produce(topic, key=records[0].key(), value=records[0].value(), headers=dict(records[0].headers() or []))
    assert producer.flush(10) == 0
    assert replayed(bus, topic, "5", "latest") == users[1:]  # the reader does not wait for open transactions
    producer.abort_transaction(10)
    admin, first = cluster.admin(), TopicPartition(topic, 0, 7)
    admin.delete_records([first])[first].result(30)
    assert replayed(bus, topic, "0", "3") == []
    assert replayed(bus, topic, "0", "latest") == users[2:]
