"""A worker ends when it is told to stop, even if its broker keeps the connections open and does not answer."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import sleep
from typing import Any

import pytest

from tests.projects.process import ServiceProcess
from tests.services.bus import CREATED

SEND_ONE = """
from openedx_events.learning.signals import CERTIFICATE_CREATED
from tests.support.examples_of import certificate
CERTIFICATE_CREATED.send_event(certificate=certificate(1))
"""


@contextmanager
def frozen_when_told() -> Iterator[tuple[dict[str, Any], Callable[[], None]]]:
    """
    Run a sandbox in a separate process. Yield settings for the sandbox, and a function that freezes the process. The
    connections of a frozen process stay open.
    """
    command = [sys.executable, "-m", "event_bus_kafka.sandbox", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        addresses = json.loads(process.stdout.readline())
        try:
            yield (
                {f"EVENT_BUS_KAFKA_{name.upper()}": address for name, address in addresses.items()},
                lambda: process.send_signal(signal.SIGSTOP),
            )
        finally:
            process.kill()


@pytest.mark.parametrize(("limit", "signals"), [(1, 1), (60, 2)], ids=["time limit", "second signal"])
def test_a_worker_with_a_silent_broker_ends_after_the_time_limit_or_a_second_signal_with_exit_code_2(
    group: str, limit: int, signals: int
) -> None:
    with frozen_when_told() as (addresses, freeze):
        settings = addresses | {"EVENT_BUS_KAFKA_COMMIT_INTERVAL": 3600, "EVENT_BUS_KAFKA_STOP_TIMEOUT": limit}
        entry = {"event_key_field": "certificate.user.id", "enabled": True}
        config = {"EVENT_BUS_PRODUCER_CONFIG": {CREATED: {"t": entry}}}
        with ServiceProcess(code=SEND_ONE, settings=settings | config) as sender:
            assert sender.end() == 0
        with ServiceProcess("consume_events", "-t", "t", "-g", group, settings=settings, receivers="note") as process:
            process.wait_for_users("note", [1])
            freeze()
            for _ in range(signals):
                process.send(signal.SIGTERM)
                process.wait_for_log("Stopping consumer")
                sleep(1)  # by then the worker waits for the broker and does not handle signals
            assert process.end() == 2
            assert "did not stop in time, perhaps because its Kafka client blocks" in process.log
