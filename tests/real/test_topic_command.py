"""
On real brokers, ``event_topics`` creates and alters the topics that the settings require, and no other topics. If it
has no right to change a topic, it reports the missing right.
"""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from confluent_kafka.admin._acl import AclOperation
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._resource import ResourceType

from tests.projects.process import ROOT
from tests.services.bus import RealBus
from tests.services.guarded import GuardedKafka
from tests.services.kafka import KafkaCluster
from tests.support.outbox_service import until
from tests.support.topic_command import drift, topics

pytestmark = [pytest.mark.real, pytest.mark.django_db]  # the command checks whether dead letters have a table

SERVICES = sorted(one.parent.name for one in Path(ROOT, "examples").glob("*/settings.py"))


def settings_of(cluster: KafkaCluster, name: str, **of_topic: Any) -> dict[str, Any]:
    """
    Return settings of a service that requires the topic ``name``, configured as in ``of_topic``, and the topic of
    probes.
    """
    return {
        "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": cluster.bootstrap_servers,
        "EVENT_BUS_KAFKA_TOPICS": {name: of_topic, "event-bus-probe": {"replication": 1}},
    }


def option(cluster: KafkaCluster, topic: str, name: str) -> str:
    resource = ConfigResource(ResourceType.TOPIC, topic)
    admin = cluster.admin()
    return str(admin.describe_configs([resource])[resource].result(30)[name].value)


def partitions(cluster: KafkaCluster, topic: str) -> int:
    return len(cluster.admin().list_topics(timeout=30).topics[topic].partitions)


def test_the_command_event_topics_creates_the_topics_of_all_services_and_then_has_nothing_to_do(
    three_brokers: KafkaCluster,
) -> None:
    services = {one: import_module(f"examples.{one}.settings") for one in SERVICES}

    def settings_of_service(module: ModuleType) -> dict[str, Any]:
        own = {name: value for name, value in vars(module).items() if name.startswith("EVENT_BUS_")}
        given = own.get("EVENT_BUS_KAFKA_TOPICS", {}) | {"*": {"replication": 3}}
        return own | {
            "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": three_brokers.bootstrap_servers,
            "EVENT_BUS_KAFKA_TOPICS": given,
        }

    each = [settings_of_service(module) for module in services.values()]
    assert [topics(one, "apply")[0] for one in each] == [0] * len(services)
    there = three_brokers.admin().list_topics(timeout=30).topics
    for one in each:
        sent = {topic for entry in one.get("EVENT_BUS_PRODUCER_CONFIG", {}).values() for topic in entry}
        read = {topic for group in one.get("EVENT_BUS_KAFKA_SUBSCRIPTIONS", {}).values() for topic in group}
        assert {f"demo-{topic}" for topic in sent | read} <= there.keys()
    assert {len(one.partitions[0].replicas) for name, one in there.items() if name.startswith("demo-")} == {3}
    assert option(three_brokers, "demo-catalog-program-lifecycle", "cleanup.policy") == "compact"
    assert [topics(one, "apply") for one in each] == [(0, "Nothing to do.\n")] * len(services)
    assert [drift(one) for one in each] == [{}] * len(services)


def test_missing_partitions_and_changed_options_of_a_topic_are_found_and_corrected(
    cluster: KafkaCluster, real_bus: RealBus
) -> None:
    name = "drifting"
    settings = settings_of(cluster, name, partitions=4, options={"retention.ms": 5_000_000, "cleanup.policy": "delete"})
    topics(settings_of(cluster, "none"), "apply")
    assert list(drift(settings)) == [name]
    assert "create with 4 partitions" in drift(settings)[name][0]

    real_bus.create_topic(name, 2)
    cluster.configure_topic(name, {"retention.ms": "7000000"})
    assert drift(settings)[name][0] == "grow from 2 to 4 partitions", (
        "the topic has no records whose order could change"
    )
    real_bus.produce(name, value=b"", headers={})
    grow, alter = drift(settings)[name]
    assert grow.startswith("grow from 2 to 4 partitions: keys move")
    assert alter == "set retention.ms from 7000000 to 5000000"

    code, said = topics(settings, "apply")
    assert code == 1
    assert "NOT DONE, not without --allow-key-moves" in said
    assert f"{name}  {alter}: done" in said
    assert (partitions(cluster, name), option(cluster, name, "retention.ms")) == (2, "5000000")

    assert topics(settings, "apply", "--allow-key-moves")[0] == 0
    until(lambda: drift(settings) == {})
    assert partitions(cluster, name) == 4


def test_the_command_event_topics_reports_the_drift_that_it_cannot_correct(cluster: KafkaCluster) -> None:
    name = "obstinate"
    cluster.create_topic(name)
    settings = settings_of(cluster, name, replication=2, options={"retention.mss": 1})
    topics(settings, "apply")
    replication, unknown = drift(settings)[name]
    assert "has replication 1, 2 wanted" in replication
    assert unknown == "Kafka knows no topic option 'retention.mss'"
    code, said = topics(settings, "apply")
    assert (code, said.count("event_topics cannot mend this")) == (1, 2)


def test_topics_of_other_services_and_surplus_partitions_are_reported_but_do_not_count_as_drift(
    cluster: KafkaCluster,
) -> None:
    name, other = "too-many", "of-others"
    cluster.create_topic(name, 3)
    cluster.create_topic(other)
    settings = settings_of(cluster, name, partitions=1)
    topics(settings, "apply")
    assert drift(settings) == {}
    code, said = topics(settings, "plan", "--json")
    plan = json.loads(said)
    assert code == 0
    assert "has 3 partitions, 1 wanted: Kafka takes none away" in plan["topics"][-1]["remarks"]
    assert other in plan["others"]
    assert not any(one.startswith("__") for one in plan["others"])
    assert partitions(cluster, name) == 3


def test_the_command_event_topics_creates_the_other_topics_although_one_topic_has_an_invalid_name(
    cluster: KafkaCluster,
) -> None:
    settings = settings_of(cluster, "last-of-all")
    settings["EVENT_BUS_KAFKA_TOPICS"]["bad name"] = {}
    code, said = topics(settings, "apply")
    assert code == 1
    assert "bad name  create with as many partitions as the brokers choose, the brokers' replication: NOT DONE" in said
    assert "last-of-all  create with as many partitions as the brokers choose, the brokers' replication: done" in said


def test_the_command_event_topics_names_missing_rights_and_makes_all_permitted_changes(guarded: GuardedKafka) -> None:
    user = "deployer"
    guarded.add_user(user)
    for topic, *operations in (
        ("may-create", "CREATE", "DESCRIBE"),
        ("may-only-see", "DESCRIBE"),
        ("may-see-options", "DESCRIBE", "DESCRIBE_CONFIGS"),
        ("may-alter", "ALTER_CONFIGS", "DESCRIBE"),
        ("event-bus-probe", "CREATE", "DESCRIBE"),
    ):
        for operation in operations:
            guarded.allow_topic(user, topic, AclOperation[operation])
    for topic in ("may-only-see", "may-see-options", "may-alter", "no-right"):
        guarded.cluster.create_topic(topic)
    options = {"retention.ms": 5_000_000}
    settings = {
        "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": guarded.options("SCRAM", user)["bootstrap.servers"],
        "EVENT_BUS_KAFKA_CLIENT_OPTIONS": guarded.options("SCRAM", user),
        "EVENT_BUS_KAFKA_TOPICS": {
            "may-create": {},
            "may-only-see": {"options": options},
            "may-see-options": {"options": options, "partitions": 2},
            "may-alter": {"options": options},
            "no-right": {},
        },
    }

    lines = [line.partition("  ") for line in topics(settings, "apply", "--allow-key-moves")[1].splitlines()]
    found = {topic: [text for name, _, text in lines if name == topic] for topic in settings["EVENT_BUS_KAFKA_TOPICS"]}
    assert found["may-create"][0].endswith(": done")
    assert "this user lacks the right DESCRIBE_CONFIGS on the topic" in found["may-only-see"][0]
    grow, alter = found["may-see-options"]
    assert grow.endswith("NOT DONE, this user lacks the right ALTER on the topic")
    assert alter.endswith("NOT DONE, this user lacks the right ALTER_CONFIGS on the topic")
    assert found["may-alter"][0].endswith(": done")
    assert "cannot be seen: this user lacks the right DESCRIBE on the topic" in found["no-right"][0]
