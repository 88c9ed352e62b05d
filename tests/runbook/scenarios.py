"""
Creates the situation that each section of the runbook describes, and runs the section's commands at the right moments.
"""

from __future__ import annotations

from collections.abc import Callable

from confluent_kafka.admin._acl import AclOperation

from tests.runbook.terminal import Terminal
from tests.services.process import free_port


def watching(at: Terminal) -> None:
    at.bus.create_topic(at.topic)
    with at.worker():
        at.until_ready_says("ready")
        at.follow()


def something_is_neglected(at: Terminal) -> None:
    at.manage("event_topics apply")
    at.emit(1)
    at.age(minutes=180)
    at.follow()


def nothing_arrives(at: Terminal) -> None:
    at.bus.create_topic(at.topic)
    at.commit(0)
    at.emit(7)
    at.follow()
    at.follow()
    assert at.manage("relay_events --once")[1] == 0
    at.follow()
    at.follow()


def the_lag_grows(at: Terminal) -> None:
    at.bus.create_topic(at.topic, 2)
    at.commit(0, partitions=2)
    at.send(*[7] * 5)
    patience = {"attempts": 1_000, "first_delay": 0.1, "factor": 1}
    with at.worker(EVENT_BUS_KAFKA_RETRY=patience, EVENT_BUS_KAFKA_CONSUMER_WINDOW_RECORDS=3):
        at.until_ready_says("window full")
        at.follow()
        at.follow()
        at.follow()
        at.gate.touch()


def one_receiver_fails(at: Terminal) -> None:
    at.bus.create_topic(at.topic)
    at.send(*range(1, 5))
    with at.worker(EVENT_BUS_KAFKA_CIRCUIT={"failures": 3, "keys": 3, "probe_every": 0.2}):
        at.until_ready_says("circuit open")
        at.follow()
        at.follow()
        at.until_printed("event_dead_letters list", "prod-certificates:0:3")
        at.gate.touch()
        at.follow()


def a_flood(at: Terminal) -> None:
    at.bus.create_topic(at.topic)
    at.send(*range(1, 6))
    at_once = {"EVENT_BUS_KAFKA_RETRY": {"attempts": 1}, "EVENT_BUS_KAFKA_CONSUMER_CONCURRENCY": 1}
    with at.worker(EVENT_BUS_KAFKA_DEAD_LETTER_FLOOD=3, EVENT_BUS_KAFKA_CIRCUIT={"failures": 99}, **at_once) as worker:
        at.until_ready_says("flood")
        at.follow()
        assert worker.stop() == 0
    at.follow()


def dead_letters_grow(at: Terminal) -> None:
    at.bus.create_topic(at.topic)
    at.send(7)
    with at.worker():
        at.until_printed("event_dead_letters list", "prod-certificates:0:0")
    at.follow()
    at.follow()
    at.gate.touch()
    at.follow()


def the_outbox_grows(at: Terminal) -> None:
    at.bus.create_topic(at.topic)
    at.emit(1, 2, 3)
    at.follow()
    at.follow()


def rows_are_parked(at: Terminal) -> None:
    at.settings["EVENT_BUS_KAFKA_TOPICS"] = {"*": {"replication": 1, "options": {"max.message.bytes": 20_000}}}
    at.manage("event_topics apply")
    at.emit(1, name="x" * 30_000)
    at.emit(2)
    assert at.manage("relay_events --once")[1] == 0
    at.follow()
    at.settings["EVENT_BUS_KAFKA_TOPICS"] = {"*": {"replication": 1, "options": {"max.message.bytes": 1_000_000}}}
    at.follow()


def a_topic_is_held(at: Terminal) -> None:
    at.emit(1)
    at.follow()
    at.follow()


def events_are_lost(at: Terminal) -> None:
    at.settings["DATABASES"]["default"]["NAME"] += ".new"
    at.follow()


def not_ready(at: Terminal) -> None:
    at.follow()
    with at.worker():
        at.until_ready_says("no assignment yet")
        at.follow()


def rights_are_lost(at: Terminal) -> None:
    guarded, user = at.guarded(), at.group
    guarded.add_user(user)
    guarded.cluster.create_topic(at.topic)
    guarded.allow_group(user, at.group)
    guarded.allow_topic(user, at.topic, AclOperation.READ)
    options = guarded.options("SCRAM", user)
    at.settings["EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS"] = options.pop("bootstrap.servers")
    at.settings["EVENT_BUS_KAFKA_CLIENT_OPTIONS"] = options
    at.follow()
    with at.worker():
        at.until_ready_says("ready")
        guarded.forbid_topic(user, at.topic, AclOperation.READ)
        at.follow()


def kafka_is_away(at: Terminal) -> None:
    at.settings["EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS"] = f"127.0.0.1:{free_port()}"
    at.follow()


def the_registry_is_away(at: Terminal) -> None:
    at.manage("event_topics apply")
    at.settings["EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL"] = f"http://127.0.0.1:{free_port()}"
    at.follow()


def it_is_too_slow(at: Terminal) -> None:
    at.bus.create_topic(at.topic)
    at.send(7)
    with at.worker("hang", EVENT_BUS_KAFKA_SLOW_RECEIVER=0.5, EVENT_BUS_KAFKA_STOP_TIMEOUT=1):
        at.until_ready_says("slow receiver")
        at.follow()
    at.gate.touch()
    at.send(7, 7, 8)
    with at.worker() as worker:
        worker.wait_for(lambda: len(worker.heard("gate")) == 4)
        at.follow()
        at.follow()


def after_a_disaster(at: Terminal) -> None:
    at.bus.create_topic(at.topic)
    at.send(1, 2)
    at.gate.touch()
    with at.worker() as worker:
        worker.wait_for(lambda: len(worker.heard("gate")) == 2)
        assert worker.stop() == 0
    at.follow()


def deploys(at: Terminal) -> None:
    at.manage("event_topics apply")
    at.manage("event_schemas register")
    at.follow()
    with at.worker():
        at.until_ready_says("ready")
        at.follow()


ALL: dict[str, Callable[[Terminal], None]] = {
    "Watching it": watching,
    "Something is neglected": something_is_neglected,
    "Nothing arrives": nothing_arrives,
    "The lag grows": the_lag_grows,
    "One receiver fails": one_receiver_fails,
    "A flood of dead letters": a_flood,
    "Dead letters grow": dead_letters_grow,
    "The outbox grows": the_outbox_grows,
    "Rows are parked": rows_are_parked,
    "A topic is held": a_topic_is_held,
    "Events are lost": events_are_lost,
    "A relay or worker does not start, or is not ready": not_ready,
    "Rights are lost": rights_are_lost,
    "Kafka is away": kafka_is_away,
    "The schema registry is away": the_registry_is_away,
    "It is too slow": it_is_too_slow,
    "After a disaster": after_a_disaster,
    "Deploys and upgrades": deploys,
}
"""The scenario of each section by the section's title, in the order of the page."""
