"""``event_bus_status`` prints the state of a real Kafka and a real registry, and reports their problems."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from time import time
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin._acl import AclOperation
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from django.test import override_settings
from pytest_django import DjangoDbBlocker

from event_bus_kafka.operations.schemas import own_schemas
from event_bus_kafka.operations.schemas.own_schemas import OwnSchema
from tests.services.bus import CREATED, RealBus
from tests.services.guarded import GuardedKafka
from tests.services.kafka import KafkaCluster
from tests.support.outbox_service import until
from tests.support.sqlite import on_sqlite
from tests.support.status_command import checked, status, told

pytestmark = pytest.mark.real

_HOUR = 3_600_000
"""Number of milliseconds in an hour."""


@pytest.fixture(scope="module", autouse=True)
def database(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker) -> Iterator[Path]:
    """Use an empty database in a file, because several threads of the command read the database."""
    with django_db_blocker.unblock(), on_sqlite(tmp_path_factory.mktemp("status"), "default") as file:
        yield file


def produce(bus: RealBus, topic: str, *ages: int) -> None:
    """Produce a record for each of ``ages``, with a timestamp of this many milliseconds ago."""
    producer = Producer({"bootstrap.servers": bus.bootstrap_servers, "log_level": 0})
    for age in ages:
        producer.produce(topic, b"value", timestamp=round(time() * 1000) - age, partition=0)
    assert producer.flush(60) == 0


def group_of(settings: dict[str, Any], group: str) -> dict[str, Any]:
    groups: dict[str, dict[str, Any]] = {one["group"]: one for one in told(settings).json["kafka"]["groups"]}
    return groups[group]


def neglects(settings: dict[str, Any]) -> dict[str, str]:
    return {one["id"]: one["message"] for one in told(settings).json["neglects"]}


def test_the_status_shows_the_topics_and_groups_of_the_settings_with_their_lag(
    cluster: KafkaCluster, real_bus: RealBus
) -> None:
    cluster.create_topic("status-shown", 2, {"retention.ms": str(_HOUR)})
    cluster.create_topic("status-kept", 1, {"cleanup.policy": "compact"})
    produce(real_bus, "status-shown", 60_000, 0, 0)
    real_bus.commit("status-mail", "status-shown", 1)
    subscribed = {"status-mail": ["status-shown"], "status-new": ["status-shown", "status-kept"]}
    settings = real_bus.settings(EVENT_BUS_KAFKA_SUBSCRIPTIONS=subscribed)
    shown = told(settings)
    assert shown.refusal == ""
    found = {one["topic"]: one for one in shown.json["kafka"]["topics"]}
    topic = found["status-shown"]
    assert (topic["partitions"], topic["records"], topic["retention_seconds"]) == (2, 3, 3_600)
    assert topic["oldest"] is not None
    assert (found["status-kept"]["policy"], found["status-kept"]["retention_seconds"]) == ("compact", None)
    lags = {one["group"]: [unread["lag"] for unread in one["unread"]] for one in shown.json["kafka"]["groups"]}
    assert lags == {"status-mail": [2], "status-new": [3]}
    assert {one["subject"] for one in shown.json["neglects"]} == {"status-mail", "status-new"}

    lines = status(settings).text.splitlines()
    assert max(map(len, lines)) <= 100
    assert any(line.split() == ["status-mail", "empty", "0", "1", "2", "status-shown"] for line in lines)
    assert any(line.startswith("! group-without-worker: status-mail") for line in lines)


def test_a_group_of_the_consumer_protocol_is_shown_with_its_state(real_bus: RealBus) -> None:
    real_bus.create_topic("status-newer")
    produce(real_bus, "status-newer", 0, 0)
    settings = real_bus.settings(EVENT_BUS_KAFKA_SUBSCRIPTIONS={"status-modern": ["status-newer"]})
    options = {"group.protocol": "consumer", "enable.auto.commit": False, "auto.offset.reset": "earliest"}
    servers = {"bootstrap.servers": real_bus.bootstrap_servers, "group.id": "status-modern", "log_level": 0}
    consumer = Consumer(servers | options)
    consumer.subscribe(["status-newer"])
    until(lambda: consumer.poll(0.2) is not None)
    consumer.commit(offsets=[TopicPartition("status-newer", 0, 1)], asynchronous=False)
    until(lambda: group_of(settings, "status-modern")["state"] == "stable")
    assert group_of(settings, "status-modern")["unread"][0]["lag"] == 1
    assert neglects(settings) == {}
    consumer.close()
    until(lambda: group_of(settings, "status-modern")["members"] == 0)
    assert "group-without-worker" in neglects(settings)


def test_the_status_reports_unread_records_near_the_end_of_their_retention(
    cluster: KafkaCluster, real_bus: RealBus
) -> None:
    cluster.create_topic("status-ending", 1, {"retention.ms": str(_HOUR)})
    produce(real_bus, "status-ending", 50 * 60_000, 40 * 60_000, 0)
    settings = real_bus.settings(EVENT_BUS_KAFKA_SUBSCRIPTIONS={"status-late": ["status-ending"]})
    assert "will soon be deleted" in neglects(settings)["retention-ends"].lower()
    real_bus.commit("status-late", "status-ending", 1)
    assert "retention-ends" not in neglects(settings), (
        "the oldest unread record still has a third of its retention left"
    )
    cluster.configure_topic("status-ending", {"cleanup.policy": "compact"})
    real_bus.commit("status-late", "status-ending", 0)
    assert "retention-ends" not in neglects(settings), "a compacted topic deletes no record for its age"


def test_the_status_reports_records_that_were_deleted_before_they_were_read(
    cluster: KafkaCluster, real_bus: RealBus
) -> None:
    cluster.create_topic("status-lost")
    produce(real_bus, "status-lost", 0, 0, 0)
    real_bus.commit("status-loser", "status-lost", 1)
    admin = cluster.admin()
    place = TopicPartition("status-lost", 0, 3)
    admin.delete_records([place])[place].result(30)
    settings = real_bus.settings(EVENT_BUS_KAFKA_SUBSCRIPTIONS={"status-loser": ["status-lost"]})
    assert "2 records were deleted" in checked(settings)["retention-ends", "status-loser on status-lost"]
    assert group_of(settings, "status-loser")["unread"] == [
        {"topic": "status-lost", "lag": 0, "lost": 2, "ends_soon": False}
    ]


def test_the_status_reports_topics_that_differ_from_the_settings(cluster: KafkaCluster, real_bus: RealBus) -> None:
    cluster.create_topic("status-small", 1, {"retention.ms": str(_HOUR)})
    topics = {"status-small": {"partitions": 3, "options": {"retention.ms": 2 * _HOUR}}, "status-gone": {}}
    found = checked(real_bus.settings(EVENT_BUS_KAFKA_TOPICS=topics))
    assert found.keys() == {
        ("topic-missing", "status-gone"),
        ("topic-small", "status-small"),
        ("topic-differs", "status-small"),
    }
    assert "grow from 1 to 3 partitions" in found["topic-small", "status-small"]
    assert checked(real_bus.settings(EVENT_BUS_KAFKA_TOPICS={"status-small": {"partitions": 1}})) == {}


def schemas_of(settings: dict[str, Any]) -> list[OwnSchema]:
    with override_settings(**settings):
        return own_schemas.by_subject()


def test_the_status_reports_schemas_that_the_registry_lacks_or_refuses(real_bus: RealBus) -> None:
    topic = "status-schemas"
    real_bus.create_topic(topic)
    settings = real_bus.settings(topic)
    settings["EVENT_BUS_PRODUCER_CONFIG"].pop(
        next(one for one in settings["EVENT_BUS_PRODUCER_CONFIG"] if one != CREATED)
    )
    own = schemas_of(settings)
    assert checked(settings).keys() == {("schema-missing", one.subject) for one in own}

    registry = SchemaRegistryClient({"url": real_bus.schema_registry_url})
    for one in own:
        registry.register_schema(one.subject, Schema(one.schema, "AVRO"))
    assert checked(settings) == {}

    subject = next(one for one in own if "certificate" in one.schema)
    registry.delete_subject(subject.subject)
    fewer = {"type": "record", "name": "CloudEvent", "fields": [{"name": "other", "type": "string"}]}
    registry.register_schema(subject.subject, Schema(json.dumps(fewer), "AVRO"))
    level = json.dumps({"compatibility": "BACKWARD"}).encode()
    url = f"{real_bus.schema_registry_url}/config/{quote(subject.subject)}"
    urlopen(Request(url, level, {"Content-Type": "application/json"}, method="PUT"))
    found = checked(settings)
    assert found.keys() == {("schema-incompatible", subject.subject)}
    registry.close()


def test_the_status_reports_missing_rights(guarded: GuardedKafka, real_bus: RealBus) -> None:
    user = "status"
    guarded.add_user(user)
    for topic in ("status-sent", "status-read", "status-hidden"):
        guarded.cluster.create_topic(topic)
    for topic in ("status-sent", "status-read"):
        guarded.allow_topic(user, topic, AclOperation.DESCRIBE)
    entry = {"event_key_field": "certificate.user.id", "enabled": True}
    settings = {
        "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": guarded.options("SCRAM", user)["bootstrap.servers"],
        "EVENT_BUS_KAFKA_CLIENT_OPTIONS": guarded.options("SCRAM", user),
        "EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": real_bus.schema_registry_url,
        "EVENT_BUS_PRODUCER_CONFIG": {CREATED: {"status-sent": entry}},
        "EVENT_BUS_KAFKA_SUBSCRIPTIONS": {"status-reader": ["status-read", "status-hidden"]},
    }

    def lacking() -> dict[str, str]:
        return {subject: message for (kind, subject), message in checked(settings).items() if kind == "right-missing"}

    found = lacking()
    assert found.keys() == {"topic status-sent", "topic status-read", "group status-reader", "status-hidden"}
    assert found["topic status-sent"] == "This service's user status lacks WRITE on it."
    assert "this service's user status lacks the right DESCRIBE" in found["status-hidden"]
    remedies = {one["subject"]: one["remedy"] for one in told(settings, "--check").json["findings"]}
    allow = "kafka-acls --bootstrap-server SERVER --add --allow-principal User:status --operation"
    assert f"{allow} WRITE --topic status-sent, or" in remedies["topic status-sent"]
    assert f"{allow} READ --group status-reader, or" in remedies["group status-reader"]
    assert f"{allow} DESCRIBE --topic status-hidden, or" in remedies["status-hidden"]
    assert "READ" in found["topic status-read"]
    assert "READ" in found["group status-reader"]
    assert "DESCRIBE" in found["status-hidden"]
    guarded.allow_topic(user, "status-sent", AclOperation.WRITE)
    for topic in ("status-read", "status-hidden"):
        guarded.allow_topic(user, topic, AclOperation.READ)
    guarded.allow_group(user, "status-reader")
    until(lambda: lacking() == {})
