"""On a real Kafka, ``event_dead_letters take`` quarantines a record that makes workers crash."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from tests.projects.process import ServiceProcess
from tests.services.bus import RealBus
from tests.support.dead_letter_command import dead_letters, listed, table
from tests.support.examples_of import certificate
from tests.support.sending import send
from tests.support.workers import worker

__all__ = ["table"]

pytestmark = pytest.mark.real


def metadata(bus: RealBus, group: str, topic: str) -> str | None:
    consumer = Consumer({"bootstrap.servers": bus.bootstrap_servers, "group.id": group})
    try:
        found: str | None = consumer.committed([TopicPartition(topic, 0)], timeout=10)[0].metadata
        return found
    finally:
        consumer.close()


def take(bus: RealBus, settings: dict[str, Any], record: str, group: str, *, exit_code: int = 0) -> str:
    receivers = "leave_for_odd,note"
    command = ("take", record, "-g", group, "--apply")
    return dead_letters(bus, settings, *command, receivers=receivers, exit_code=exit_code).log


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_workers_skip_quarantined_records(
    bus: RealBus, topic: str, group: str, table: dict[str, Any], protocol: str
) -> None:
    if protocol == "consumer":
        table["EVENT_BUS_KAFKA_CONSUMER_OPTIONS"] = {"group.protocol": "consumer"}
    send(bus, topic, *map(certificate, (2, 1, 4, 3, 6)))
    with worker(bus, topic, group, "leave_for_odd,note", **table) as process:
        assert process.end() == 3
    bus.commit(group, topic, 0)
    take(bus, table, f"{topic}:0:1", group)
    take(bus, table, f"{topic}:0:3", group)
    assert metadata(bus, group, topic) == 'event-bus-kafka {"taken":[1,3]}'
    with worker(bus, topic, group, "leave_for_odd,note", **table) as process:
        process.wait_for_users("note", [2, 4, 6])
        assert process.stop() == 0
    assert bus.committed(group, topic) == 5
    letters = listed(bus, table)
    assert sorted(letter["offset"] for letter in letters) == [1, 3]
    for letter in letters:
        assert letter["attempts"] == 0
        assert [(failure["receiver"].rsplit(".")[-1], failure["error"]) for failure in letter["failures"]] == [
            ("leave_for_odd", "quarantined by hand"),
            ("note", "quarantined by hand"),
        ]


def test_quarantining_the_next_record_commits_the_following_offset(
    bus: RealBus, topic: str, group: str, table: dict[str, Any]
) -> None:
    table["EVENT_BUS_KAFKA_CONSUMER_OPTIONS"] = {"group.instance.id": "one"}
    send(bus, topic, *map(certificate, (1, 2, 3)))
    take(bus, table, f"{topic}:0:2", group)
    take(bus, table, f"{topic}:0:0", group)
    assert (bus.committed(group, topic), metadata(bus, group, topic)) == (1, 'event-bus-kafka {"taken":[2]}')


def test_no_record_is_quarantined_without_the_option_apply(
    bus: RealBus, topic: str, group: str, table: dict[str, Any]
) -> None:
    send(bus, topic, certificate(1))
    assert "repeat it with --apply" in dead_letters(bus, table, "take", f"{topic}:0:0", "-g", group).log
    assert listed(bus, table) == []
    assert bus.committed(group, topic) < 0


def test_no_record_is_quarantined_while_the_group_has_members(
    bus: RealBus, topic: str, group: str, table: dict[str, Any]
) -> None:
    send(bus, topic, certificate(2))
    with worker(bus, topic, group, "note", **table) as process:
        process.wait_for_users("note", [2])
        log = take(bus, table, f"{topic}:0:0", group, exit_code=1)
        assert f"Group {group} has live members: service on 127.0.0.1. Stop its workers first" in log
        process.stop()
    assert listed(bus, table) == []


def test_an_offset_cannot_be_quarantined_if_it_is_missing_or_processed_or_already_quarantined(
    bus: RealBus, topic: str, group: str, table: dict[str, Any]
) -> None:
    send(bus, topic, *map(certificate, (1, 2)))
    log = take(bus, table, f"{topic}:0:2", group, exit_code=1)
    assert f"{topic}:0:2 is not there: the partition has offsets 0 to 1." in log
    assert "There is no partition 7" in take(bus, table, f"{topic}:7:0", group, exit_code=1)
    assert "There is no partition 0 of missing" in take(bus, table, "missing:0:0", group, exit_code=1)
    bus.commit(group, topic, 1)
    log = take(bus, table, f"{topic}:0:0", group, exit_code=1)
    assert f"{topic}:0:0 is finished: group {group} continues from offset 1." in log
    bus.commit(group, topic, 0)
    take(bus, table, f"{topic}:0:1", group)
    assert "was quarantined before" in take(bus, table, f"{topic}:0:1", group, exit_code=1)
    assert [letter["offset"] for letter in listed(bus, table)] == [1]


def test_an_offset_of_an_aborted_transaction_cannot_be_quarantined(
    bus: RealBus, topic: str, group: str, table: dict[str, Any]
) -> None:
    producer = Producer({"bootstrap.servers": bus.bootstrap_servers, "transactional.id": group})
    producer.init_transactions(10)
    for end in (producer.abort_transaction, producer.commit_transaction, producer.abort_transaction):
        producer.begin_transaction()
        producer.produce(topic, value=b"x", partition=0)
        producer.flush(10)
        end(10)
    for offset in (0, 1, 3, 4, 5):  # each transaction ends with an offset that has no record
        assert "holds no record" in take(bus, table, f"{topic}:0:{offset}", group, exit_code=1)
    take(bus, table, f"{topic}:0:2", group)


def test_importing_dead_letters_from_a_missing_topic_fails(bus: RealBus, group: str, table: dict[str, Any]) -> None:
    log = dead_letters(bus, table, "import", "-g", group, "--apply", exit_code=1).log
    assert f"there is no topic {group}.dead-letters" in log


def test_a_quarantined_record_is_stored_on_a_topic_if_configured(
    bus: RealBus, topic: str, group: str, tmp_path: Path
) -> None:
    bus.create_topic(f"{group}.dead-letters")
    send(bus, topic, certificate(1))
    take(bus, {"EVENT_BUS_KAFKA_DEAD_LETTERS": "topic"}, f"{topic}:0:0", group)
    (record,) = bus.records(f"{group}.dead-letters", 1)
    assert record.key() == f"{topic}:0:0".encode()
    assert bus.committed(group, topic) == 1


def test_a_quarantine_fails_and_commits_nothing_if_the_dead_letter_cannot_be_stored(
    bus: RealBus, topic: str, group: str, table: dict[str, Any]
) -> None:
    send(bus, topic, certificate(1))
    settings = table | {"EVENT_BUS_KAFKA_DEAD_LETTERS": "topic"}  # a topic that does not exist
    with ServiceProcess(
        *("event_dead_letters", "take", f"{topic}:0:0", "-g", group, "--apply"), settings=bus.settings(**settings)
    ) as process:
        assert process.end() == 1
    assert "DeadLetterStoreFailed" in process.log
    assert bus.committed(group, topic) < 0
