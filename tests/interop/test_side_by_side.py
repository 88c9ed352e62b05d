"""Both packages in one project: workers of either read what either sent; apps, commands and settings do not clash."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bus import Bus
from tests.flows.test_ends import SEND
from tests.service.process import ServiceProcess

THEIRS = {
    "EVENT_BUS_PRODUCER": "edx_event_bus_kafka.create_producer",
    "EVENT_BUS_CONSUMER": "edx_event_bus_kafka.KafkaEventConsumer",
    "EVENT_BUS_KAFKA_CONSUMERS_ENABLED": True,
}
OURS: dict[str, Any] = {}
APPS = [
    ["tests.service", "openedx_events", "event_bus_kafka", "edx_event_bus_kafka"],
    ["tests.service", "edx_event_bus_kafka", "event_bus_kafka", "openedx_events"],
]


@pytest.mark.parametrize("apps", APPS, ids=["ours before theirs", "theirs before ours"])
@pytest.mark.parametrize(
    ("sender", "worker"), [(OURS, THEIRS), (THEIRS, OURS)], ids=["ours to theirs", "theirs to ours"]
)
def test_events_go_from_one_package_to_the_other(
    bus: Bus, topic: str, group: str, sender: dict[str, Any], worker: dict[str, Any], apps: list[str]
) -> None:
    installed: dict[str, Any] = {"INSTALLED_APPS": apps}
    arguments = ("consume_events", "-t", topic, "-g", group)
    with ServiceProcess(code=SEND.format(users=[1]), settings=bus.settings(topic, **sender, **installed)) as first:
        assert first.end() == 0
    if worker is THEIRS:  # a new group of theirs begins at the end: let it commit where we say
        bus.commit(group, topic, 0)
    with ServiceProcess(*arguments, settings=bus.settings(**worker, **installed), receivers="note") as process:
        process.wait_for_users("note", [1])


@pytest.mark.parametrize("apps", APPS, ids=["ours before theirs", "theirs before ours"])
@pytest.mark.parametrize("command", ["consume_events", "produce_event"])
def test_commands_work_whichever_app_stands_first(apps: list[str], command: str, sandbox: Any) -> None:
    settings = {
        "INSTALLED_APPS": apps,
        "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": sandbox.bootstrap_servers,
        "EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": sandbox.schema_registry_url,
    }
    with ServiceProcess(command, "--help", settings=settings) as process:
        assert process.end() == 0, process.log
    with ServiceProcess("check", "--fail-level", "WARNING", settings=settings) as process:
        assert process.end() == 0, process.log
