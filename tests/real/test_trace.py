"""``event_trace`` says which records a real Kafka may have deleted, and finds one record among many."""

from __future__ import annotations

from contextlib import closing
from time import monotonic
from uuid import UUID, uuid1, uuid4

import pytest
from confluent_kafka import Producer, TopicPartition
from django.test import override_settings

from event_bus_kafka.assembly.schema_registry import registry
from event_bus_kafka.wire import binary
from event_bus_kafka.wire.records import ConsumerRecord
from tests.services.bus import CREATED, RealBus
from tests.services.kafka import KafkaCluster
from tests.support.letters import stored
from tests.support.scale import scaled
from tests.support.trace_command import found, sent, trace

pytestmark = [pytest.mark.real, pytest.mark.django_db]

HEADERS: list[tuple[str, str | bytes | None]] = [
    ("ce_specversion", b"1.0"),
    ("content-type", b"application/avro"),
    ("ce_datacontenttype", b"application/avro"),
    ("ce_type", CREATED.encode()),
    ("ce_source", b"openedx/lms/web"),
    ("ce_minorversion", b"0"),
    ("sourcehost", b"lms-7d4b9c"),
    ("sourcelib", b"10.5.0"),
    ("ce_time", b"2026-01-31T08:00:00.123456+00:00"),
]


def delete_before(cluster: KafkaCluster, topic: str, offset: int) -> None:
    """Delete the records before ``offset``, as retention would delete them."""
    admin = cluster.admin()
    for answer in admin.delete_records([TopicPartition(topic, 0, offset)]).values():
        answer.result(30)


def test_event_trace_says_that_the_event_may_have_been_in_deleted_records(
    bus: RealBus, cluster: KafkaCluster, topic: str
) -> None:
    event_id, *_ = sent(bus, topic, 1, 2, 3)
    with override_settings(**bus.settings(topic)):
        delete_before(cluster, topic, 1)
        text = trace(event_id, finds=False)
        assert f"Maybe not there any more: {topic}:0 begins with a record of 2" in text
        assert ", at offset 1; what was before is deleted.\n" in text
        assert "Maybe" not in trace(uuid1(), finds=False), (
            "an event that is younger than the first record was not deleted"
        )
        assert "Maybe not there any more" in trace(uuid4(), finds=False)
        delete_before(cluster, topic, 3)
        assert f"{topic}:0 holds no records, at offset 3; what was before is deleted.\n" in trace(event_id, finds=False)


def test_event_trace_says_that_the_record_of_a_dead_letter_was_deleted(
    bus: RealBus, cluster: KafkaCluster, topic: str, group: str
) -> None:
    event_id, other = sent(bus, topic, 1, 2)
    stored(record(topic, 0, event_id), "a.receiver", group=group)
    stored(record(topic, 7, other), "a.receiver", group=group)
    with override_settings(**bus.settings(topic)):
        answer = found(event_id)
        assert [(one["offset"], one["event_id"]) for one in answer["records"]] == [(0, str(event_id))]
        delete_before(cluster, topic, 1)
        assert f"Not there any more: it was {topic}:0:0, and the partition begins at 1.\n" in trace(event_id)
        assert f"Not there any more: it was {topic}:0:7, and the partition begins at 1.\n" in trace(other)


def record(topic: str, offset: int, event_id: UUID) -> ConsumerRecord:
    headers = (("ce_type", CREATED.encode()), ("ce_id", str(event_id).encode()))
    return ConsumerRecord(
        topic=topic, partition=0, offset=offset, timestamp=1, key=b"key", value=b"value", headers=headers
    )


def test_event_trace_says_that_compaction_may_have_removed_the_event(
    bus: RealBus, cluster: KafkaCluster, group: str
) -> None:
    topic = f"compacted-{group}"
    cluster.create_topic(topic, config={"cleanup.policy": "compact"})
    with override_settings(**bus.settings(topic)):
        text = trace(uuid1(), finds=False)
    assert f"Maybe not there any more: topic {topic} is compacted, and keeps the last record of a key alone.\n" in text


def test_event_trace_finds_consumer_groups_even_if_they_are_missing_from_the_settings(
    bus: RealBus, topic: str, group: str
) -> None:
    (event_id,) = sent(bus, topic, 1)
    bus.commit(group, topic, 1)
    with override_settings(**bus.settings(topic)):
        assert (
            f"Group {group} has committed offset 1: it has handled this record. None is left in this partition.\n"
            in trace(event_id)
        )


def test_event_trace_reports_unreachable_brokers_only_once(
    topic: str, bus: RealBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("event_bus_kafka.assembly.whereabouts._REQUEST_TIMEOUT", 0.5)
    away = {"EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9", "EVENT_BUS_KAFKA_SUBSCRIPTIONS": {"g": ["a", "b"]}}
    with override_settings(**bus.settings(topic, **away)):
        answer = found(uuid1(), finds=False)
    unseen = {one["what"]: one["why"] for one in answer["unseen"] if "database" not in one["what"]}
    assert unseen.keys() == {"Kafka"}, "each further topic would wait for another timeout"
    assert "_TRANSPORT" in unseen["Kafka"]


@pytest.mark.long
def test_event_trace_finds_a_record_among_thousands(bus: RealBus, group: str) -> None:
    """
    `make test-long` searches a million records on four partitions. The search must end within its limit of ten seconds.
    """
    topic, count = f"many-{group}", scaled(5_000, long=1_000_000)
    bus.create_topic(topic, partitions=4)
    sought = fill(bus, topic, count)
    with override_settings(**bus.settings(topic)):
        began = monotonic()
        answer = found(sought, "--topic", topic)
        print(f"{answer['read']} records of {count} in {monotonic() - began:.1f} s")
        assert [one["event_id"] for one in answer["records"]] == [str(sought)]
        answer = found("--key", str(count - 1), "--topic", topic)
        assert [one["event_id"] for one in answer["records"]] == [str(sought)]
        assert answer["read"] == count


def fill(bus: RealBus, topic: str, count: int) -> UUID:
    """
    Produce `count` records to all partitions in turn; return the id of the event in the last record. This id does not
    contain a time.
    """
    producer = Producer({"bootstrap.servers": bus.bootstrap_servers, "linger.ms": 50, "log_level": 0})
    event_id, value = uuid4(), b"v" * 400
    with override_settings(**bus.settings(topic)), closing(registry()) as schemas:
        frame = schemas.id_of(f"{topic}-string", '"string"').to_bytes(5, "big")
    for number in range(count):
        event_id = uuid4()
        headers = [*HEADERS, ("ce_id", str(event_id).encode())]
        key = frame + binary.string(str(number))
        while True:
            try:
                producer.produce(topic, key=key, value=value, headers=headers, partition=number % 4)
                break
            except BufferError:
                producer.poll(0.1)
    assert producer.flush(60) == 0
    return event_id
