"""``event_bus_status`` shows many topics and groups completely, and needs limited processor time."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.cimpl import NewTopic
from pytest_django import DjangoDbBlocker

from tests.services.bus import RealBus
from tests.services.kafka import KafkaCluster
from tests.services.schema_registry import SchemaRegistry
from tests.support.outbox_service import until
from tests.support.scale import LONG, scaled
from tests.support.sqlite import on_sqlite
from tests.support.status_command import Shown, told

pytestmark = [pytest.mark.real, pytest.mark.long, pytest.mark.timeout(1800)]

_TOPICS, _GROUPS, _EACH = scaled(20, long=2_000), scaled(4, long=200), 10
_AT_ONCE = 100
_MOST = 5.0
"""
The maximal processor time of the command in seconds. The elapsed time has no limit, because it doubles if the broker
occupies the other processors of the machine.
"""


@pytest.fixture
def wide_cluster(request: pytest.FixtureRequest) -> Iterator[KafkaCluster]:
    """
    Return a broker. Long runs use a separate broker, because thousands of topics on the shared broker would slow down
    other tests. Short runs use the shared broker.
    """
    if not LONG:
        yield request.getfixturevalue("cluster")
        return
    with KafkaCluster() as cluster:
        yield cluster


@pytest.fixture(autouse=True)
def database(tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with django_db_blocker.unblock(), on_sqlite(tmp_path, "default"):
        yield


def fill(cluster: KafkaCluster, groups: dict[str, list[str]]) -> None:
    """
    Create the topics of all groups, and produce two records to each topic. For each group, commit the offset after the
    first record of each of its topics.
    """
    admin = cluster.admin()
    topics = sorted({topic for several in groups.values() for topic in several})
    for start in range(0, len(topics), _AT_ONCE):
        part = [NewTopic(name, 1, 1) for name in topics[start : start + _AT_ONCE]]
        for answer in admin.create_topics(part).values():
            answer.result(120)
    send(cluster, topics * 2)

    def commit(group: str) -> None:
        positions = [TopicPartition(topic, 0, 1) for topic in groups[group]]
        consumer = Consumer({"bootstrap.servers": cluster.bootstrap_servers, "group.id": group, "log_level": 0})

        def is_done() -> bool:
            with suppress(KafkaException):  # the coordinator of a new cluster may not be ready yet
                return all(one.error is None for one in consumer.commit(offsets=positions, asynchronous=False))
            return False

        until(is_done)
        consumer.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(commit, groups))


def send(cluster: KafkaCluster, topics: list[str]) -> None:
    """Produce a record to each topic. If brokers do not know a topic yet, repeat the attempt with a new client."""
    left = topics

    def is_done() -> bool:
        failed: list[str] = []
        producer = Producer({"bootstrap.servers": cluster.bootstrap_servers, "log_level": 0})

        def note(error: object, sent: Message) -> None:
            if error:
                failed.append(str(sent.topic()))

        for topic in left:
            try:
                producer.produce(topic, b"value", on_delivery=note)
            except KafkaException:
                failed.append(topic)
        assert producer.flush(300) == 0
        left[:] = failed
        return not left

    until(is_done)


def measured(settings: dict[str, Any], *arguments: str) -> Shown:
    """
    Run the command, check its processor time, and return its output. The time for which the command waits for a broker
    does not count, because this time depends on the machine.
    """
    began, worked = perf_counter(), process_time()
    shown = told(settings, *arguments)
    took, work = perf_counter() - began, process_time() - worked
    print(f"{_TOPICS} topics and {_GROUPS} groups {arguments}: {took:.1f} s, of which {work:.1f} s at work")
    assert work < _MOST
    return shown


def test_the_status_shows_all_of_many_topics_and_groups(
    wide_cluster: KafkaCluster, schema_registry: SchemaRegistry
) -> None:
    names = [f"wide-{number:04}" for number in range(_TOPICS)]
    groups = {f"wide-{n}": [names[(n * _EACH + one) % _TOPICS] for one in range(_EACH)] for n in range(_GROUPS)}
    fill(wide_cluster, groups)
    settings = RealBus(wide_cluster, schema_registry).settings(
        EVENT_BUS_KAFKA_SUBSCRIPTIONS=groups, EVENT_BUS_KAFKA_TOPICS={name: {} for name in names}
    )
    shown = measured(settings)
    kafka = shown.json["kafka"]
    assert shown.refusal == ""
    assert {one["topic"] for one in kafka["topics"] if one["records"] == 2 and one["oldest"]} >= set(names)
    assert {one["group"]: sum(unread["lag"] for unread in one["unread"]) for one in kafka["groups"]} == dict.fromkeys(
        groups, _EACH
    )
    shown = measured(settings, "--check")
    assert {one["id"] for one in shown.json["findings"]} == {"group-without-worker"}
