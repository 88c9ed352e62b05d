"""
This package and edx-event-bus-kafka can be installed in one project without conflicts of apps, commands and settings.
Workers of each package read the events of the other package.
"""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from django.test import override_settings
from openedx_events.learning.data import CertificateData
from openedx_events.learning.signals import CERTIFICATE_CREATED

from tests.interop.event_versions import record, version
from tests.projects.process import ServiceProcess
from tests.services.bus import CREATED, Bus
from tests.support.examples_of import certificate
from tests.support.sending import SEND, own_producer

THEIRS: dict[str, Any] = {
    "EVENT_BUS_PRODUCER": "edx_event_bus_kafka.create_producer",
    "EVENT_BUS_CONSUMER": "edx_event_bus_kafka.KafkaEventConsumer",
    "EVENT_BUS_KAFKA_CONSUMERS_ENABLED": True,
}
OURS: dict[str, Any] = {}
# The existing package does not flush at the end of a process: without this, the event can be lost.
FLUSH = """
from openedx_events.event_bus import get_producer
get_producer().prepare_for_shutdown()
"""
APPS = [
    ["tests.projects.certificates", "openedx_events", "event_bus_kafka", "edx_event_bus_kafka"],
    ["tests.projects.certificates", "edx_event_bus_kafka", "event_bus_kafka", "openedx_events"],
]


@pytest.mark.parametrize("apps", APPS, ids=["ours before theirs", "theirs before ours"])
@pytest.mark.parametrize(
    ("sender", "worker"), [(OURS, THEIRS), (THEIRS, OURS)], ids=["ours to theirs", "theirs to ours"]
)
def test_each_package_receives_the_events_that_the_other_package_sends(
    bus: Bus, topic: str, group: str, sender: dict[str, Any], worker: dict[str, Any], apps: list[str]
) -> None:
    installed: dict[str, Any] = {"INSTALLED_APPS": apps}
    arguments = ("consume_events", "-t", topic, "-g", group)
    code = SEND.format(users=[1]) + (FLUSH if sender is THEIRS else "")
    with ServiceProcess(code=code, settings=bus.settings(topic, **sender, **installed)) as first:
        assert first.end() == 0
    assert bus.end_of(topic) == 1, first.log
    if worker is THEIRS:  # a new group of the existing package starts at the end: commit its start before
        bus.commit(group, topic, 0)
    with ServiceProcess(*arguments, settings=bus.settings(**worker, **installed), receivers="note") as process:
        process.wait_for_users("note", [1])


@pytest.mark.parametrize("apps", APPS, ids=["ours before theirs", "theirs before ours"])
@pytest.mark.parametrize("command", ["consume_events", "produce_event"])
def test_checks_and_the_help_of_commands_succeed_with_the_apps_in_any_order(
    apps: list[str], command: str, sandbox: Any
) -> None:
    settings = {
        "INSTALLED_APPS": apps,
        "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": sandbox.bootstrap_servers,
        "EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": sandbox.schema_registry_url,
    }
    with ServiceProcess(command, "--help", settings=settings) as process:
        assert process.end() == 0, process.log
    with ServiceProcess("check", "--fail-level", "WARNING", settings=settings) as process:
        assert process.end() == 0, process.log


def test_the_worker_of_edx_event_bus_kafka_commits_unreadable_records(bus: Bus, topic: str, group: str) -> None:
    fields = {one.name: (one.type, one.default) for one in attrs.fields(CertificateData) if one.name != "grade"}
    older = version(CREATED, {"certificate": record("CertificateData", **fields)})
    first = older.init_data["certificate"](**{name: getattr(certificate(1), name) for name in fields})
    patient: dict[str, Any] = {"EVENT_BUS_PRODUCER_MODE": "immediate", "EVENT_BUS_KAFKA_SEND_TIMEOUT": 60}
    with override_settings(**bus.settings(**patient)), own_producer() as producer:
        for signal, one in ((older, first), (CERTIFICATE_CREATED, certificate(2))):
            producer.send(
                signal=signal,
                topic=topic,
                event_key_field="certificate.user.id",
                event_data={"certificate": one},
                event_metadata=signal.generate_signal_metadata(),
            )
    bus.commit(group, topic, 0)
    arguments = ("consume_events", "-t", topic, "-g", group)
    with ServiceProcess(*arguments, settings=bus.settings(**THEIRS), receivers="note") as process:
        process.wait_for(lambda: bus.committed(group, topic) == 2, "for the commit")
        process.wait_for_users("note", [2])
