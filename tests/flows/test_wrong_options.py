"""If Kafka's client refuses the configured options, the command ends and prints the reason (case S19)."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker

from event_bus_kafka.sandbox import Sandbox
from tests.projects.process import ServiceProcess
from tests.services.bus import SandboxBus
from tests.support.sqlite import on_sqlite

NO_CERTIFICATE = {"EVENT_BUS_KAFKA_CLIENT_OPTIONS": {"security.protocol": "SSL", "ssl.ca.location": "/nowhere/ca.pem"}}


@pytest.mark.parametrize("once", [[], ["--once"]])
def test_a_relay_exits_with_1_if_its_client_refuses_the_options(
    sandbox: Sandbox, tmp_path: Path, django_db_blocker: DjangoDbBlocker, once: list[str]
) -> None:
    with django_db_blocker.unblock(), on_sqlite(tmp_path, "default") as file:
        entry = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(file)}
        settings = SandboxBus(sandbox).settings("t", DATABASES={"default": entry}, **NO_CERTIFICATE)
        with ServiceProcess("relay_events", *once, settings=settings) as relay:
            assert relay.end() == 1
    assert "exit code 1: The Kafka admin refuses its options: Failed to create admin client: ssl.ca" in relay.log
    assert "Traceback" not in relay.log


def test_a_worker_exits_with_1_if_its_client_refuses_the_options(sandbox: Sandbox) -> None:
    settings = SandboxBus(sandbox).settings("t", **NO_CERTIFICATE)
    with ServiceProcess("consume_events", "-t", "t", "-g", "g", settings=settings) as worker:
        assert worker.end() == 1
    assert "Cannot consume events: The Kafka consumer refuses its options" in worker.log
