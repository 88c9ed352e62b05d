"""Checks that a worker works on a host: it consumes, sends the events that its receivers emit, and stops cleanly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.projects.process import ServiceProcess
from tests.services.bus import Bus
from tests.support.examples_of import certificate
from tests.support.sending import send
from tests.support.workers import worker

USERS = list(range(1, 21))


def run_worker(
    bus: Bus,
    group: str,
    environment: Mapping[str, str],
    changes: Mapping[str, Any],
    *,
    receivers: str = "hosts.arrive,receivers.revoke",
    before: Sequence[str] = (),
    is_well: bool = True,
) -> ServiceProcess:
    """
    Run a worker with four lanes until it has processed all events, stop it, check its results, and return the process.
    The words in ``before`` precede the command of the worker. If ``is_well`` is True, check that the worker logged no
    error.
    """
    topic = f"of-{group}"
    bus.create_topic(topic)
    bus.create_topic(f"{topic}-sent")
    send(bus, topic, *(certificate(user, name="Zoë 名前") for user in USERS))
    routes = {"EVENT_BUS_PRODUCER_CONFIG": bus.settings(f"{topic}-sent")["EVENT_BUS_PRODUCER_CONFIG"]}
    with worker(bus, topic, group, receivers, environment, lanes=4, before=before, **routes | dict(changes)) as process:
        process.wait_for(lambda: len(process.heard("arrive")) >= len(USERS) and len(process.heard("revoke")) >= 20)
        process.wait_for(lambda: bus.committed(group, topic) == len(USERS), "for the last commit")
        assert process.stop() == 0
    assert sorted(process.users("arrive")) == USERS
    assert {one["name"] for one in process.heard("arrive")} == {"Zoë 名前"}
    assert len(bus.records(f"{topic}-sent", 20)) == 20
    assert "Traceback" not in process.log
    assert not is_well or "ERROR event_bus_kafka" not in process.log
    return process
