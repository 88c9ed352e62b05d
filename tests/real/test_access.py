"""
Client options alone suffice to use TLS, client certificates, SCRAM and OAuth. A process that lacks a right
reports the missing right.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka.admin._acl import AclOperation
from django.test import override_settings

from event_bus_kafka.operations.probing.probe_event import PROBE_TOPIC
from tests.projects.process import ServiceProcess
from tests.services.bus import RealBus
from tests.services.guarded import CLIENT_NAME, GuardedKafka
from tests.services.process import free_port
from tests.services.schema_registry import SchemaRegistry
from tests.support.examples_of import certificate
from tests.support.probe_command import probed
from tests.support.scraping import page
from tests.support.sending import send
from tests.support.trace_command import found, sent
from tests.support.workers import worker

pytestmark = pytest.mark.real

CLASSIC = {"session.timeout.ms": 6_000, "heartbeat.interval.ms": 500}


def connection(options: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": options["bootstrap.servers"],
        "EVENT_BUS_KAFKA_CLIENT_OPTIONS": options,
        "EVENT_BUS_KAFKA_CONSUMER_OPTIONS": CLASSIC,
    } | changes


@pytest.fixture
def bus(guarded: GuardedKafka, schema_registry: SchemaRegistry) -> RealBus:
    return RealBus(guarded.cluster, schema_registry)


@pytest.mark.parametrize("lock", ["TLS", "MTLS", "SCRAM", "OAUTH"])
def test_client_options_suffice_to_connect_with_each_security_mechanism(
    guarded: GuardedKafka, bus: RealBus, topic: str, group: str, lock: str
) -> None:
    user = CLIENT_NAME if lock == "MTLS" else f"user-{group}"
    guarded.add_user(user)
    guarded.allow(user, topic=topic, group=group)
    settings = connection(guarded.options(lock, user))
    send(bus, topic, certificate(1), through=settings)
    with worker(bus, topic, group, "note", **settings) as process:
        process.wait_for_users("note", [1])
        assert process.stop() == 0
    assert bus.committed(group, topic) == 1
    assert "ERROR" not in process.log


def test_a_replay_reads_a_permitted_topic_and_reports_a_topic_that_its_user_has_no_right_to_see(
    guarded: GuardedKafka, bus: RealBus, topic: str, group: str
) -> None:
    user = f"user-{group}"
    guarded.add_user(user)
    guarded.allow(user, topic=topic, group=group)
    settings = connection(guarded.options("SCRAM", user))
    send(bus, topic, certificate(1), through=settings)

    def replay(topic: str) -> ServiceProcess:
        arguments = ("replay_events", "-t", topic, "--from", "earliest", "--apply")
        return ServiceProcess(*arguments, settings=bus.settings(**settings), receivers="note")

    with replay(topic) as process:
        assert process.end() == 0, process.log
    assert process.users("note") == [1]
    bus.create_topic(secret := f"secret-{group}")
    with replay(secret) as process:
        assert process.end() == 1
    assert f"There is no topic {secret}, or this service has no right to see it." in process.log


@pytest.mark.django_db
def test_event_trace_names_topics_that_it_has_no_right_to_read(
    guarded: GuardedKafka, bus: RealBus, topic: str, group: str
) -> None:
    user = f"user-{group}"
    secret, unread = f"secret-{group}", f"unread-{group}"
    for name in (secret, unread):
        bus.create_topic(name)
        bus.produce(name, value=b"x", headers={})
    guarded.add_user(user)
    guarded.allow_topic(user, topic, AclOperation.READ)
    guarded.allow_topic(user, unread, AclOperation.DESCRIBE)
    (event_id,) = sent(bus, topic, 1)
    read = {"EVENT_BUS_KAFKA_SUBSCRIPTIONS": {group: [topic, secret, unread]}}
    with override_settings(**bus.settings(**connection(guarded.options("SCRAM", user), **read))):
        answer = found(event_id)
        unseen = {one["what"]: one["why"] for one in found(uuid4(), finds=False)["unseen"]}
    assert [one["topic"] for one in answer["records"]] == [topic]
    assert "GROUP_AUTHORIZATION_FAILED" in {one["what"]: one["why"] for one in answer["unseen"]}[f"group {group}"]
    assert "or this service has no right to see it" in unseen[f"topic {secret}"]
    assert "TOPIC_AUTHORIZATION_FAILED" in unseen[f"topic {unread}"]
    assert "TOPIC_AUTHORIZATION_FAILED" in unseen[f"whether topic {topic} is compacted"]


@pytest.mark.parametrize(
    ("operations", "failed"), [(["WRITE", "READ"], None), (["WRITE"], "receive"), (["READ"], "send"), ([], "topic")]
)
def test_a_probe_fails_at_the_leg_for_which_its_user_lacks_a_right(
    guarded: GuardedKafka, bus: RealBus, group: str, operations: list[str], failed: str | None
) -> None:
    user, topic = f"user-{group}", f"{group}-{PROBE_TOPIC}"
    bus.create_topic(topic)
    guarded.add_user(user)
    for operation in operations:
        guarded.allow_topic(user, topic, AclOperation[operation])
    settings = bus.settings(**connection(guarded.options("SCRAM", user), EVENT_BUS_TOPIC_PREFIX=group))
    found = probed(settings, "--timeout", "20")
    assert found["failed"] == failed
    assert failed is None or "uthoriz" in found["legs"][failed] or "may not see it" in found["legs"][failed]


@pytest.mark.parametrize("options", [CLASSIC, {"group.protocol": "consumer"}], ids=["classic", "consumer"])
def test_case_28_a_worker_receives_events_again_after_its_login_and_its_rights_are_restored(
    guarded: GuardedKafka, bus: RealBus, topic: str, group: str, options: dict[str, Any]
) -> None:
    user = f"user-{group}"
    guarded.add_user(user)
    guarded.allow(user, topic=topic, group=group)
    settings = connection(guarded.options("SCRAM", user), EVENT_BUS_KAFKA_CONSUMER_OPTIONS=options)
    with worker(bus, topic, group, "note", **settings) as process:
        send(bus, topic, certificate(1))
        process.wait_for_users("note", [1])
        process.wait_for_log("Kafka consumer: connected")

        guarded.remove_user(user)
        process.wait_for_log("Kafka consumer: unauthenticated (")
        send(bus, topic, certificate(2))
        guarded.add_user(user)
        process.wait_for_users("note", [1, 2])
        process.wait_for(lambda: process.log.count("Kafka consumer: connected") == 2)

        guarded.forbid_group(group)
        process.wait_for_log("Group authorization failed")
        send(bus, topic, certificate(3))
        guarded.allow_group(user, group)
        process.wait_for(lambda: 3 in process.users("note"))
        process.wait_for(lambda: bus.committed(group, topic) == 3)
        assert process.stop() == 0
    assert process.log.count("Kafka consumer: unauthenticated") in (1, 2), "logged twice only on a busy machine"
    assert "stored as a dead letter" not in process.log


@pytest.mark.parametrize("describes", [True, False], ids=["DESCRIBE stays", "no right stays"])
def test_a_worker_reports_a_missing_right_to_read_until_the_right_is_restored(
    guarded: GuardedKafka, bus: RealBus, topic: str, group: str, describes: bool
) -> None:
    user, port = f"user-{group}", free_port()
    guarded.add_user(user)
    guarded.allow_group(user, group)
    for operation in ("READ", "DESCRIBE")[: 1 + describes]:
        guarded.allow_topic(user, topic, AclOperation[operation])
    settings = connection(guarded.options("SCRAM", user), EVENT_BUS_KAFKA_HEALTH_PORT=port)
    with worker(bus, topic, group, "note", **settings) as process:
        send(bus, topic, certificate(1))
        process.wait_for_users("note", [1])
        process.wait_for(lambda: f'event_bus_kafka_lag{{group="{group}"' in page(port, "/metrics")[1])

        guarded.forbid_topic(user, topic, AclOperation.READ)
        process.wait_for(
            lambda: f"reading is refused: topic {topic} (TOPIC_AUTHORIZATION_FAILED)" in page(port, "/ready")[1]
        )
        send(bus, topic, certificate(2))
        metrics = page(port, "/metrics")[1]
        assert f'event_bus_kafka_worker_ready{{group="{group}"}} 0' in metrics
        assert "event_bus_kafka_lag{" not in metrics, "a lag of 0 would hide the records that wait"
        assert process.users("note") == [1]

        guarded.allow_topic(user, topic, AclOperation.READ)
        process.wait_for_users("note", [1, 2])
        process.wait_for(lambda: page(port, "/ready")[0] == 200)
        assert process.stop() == 0
