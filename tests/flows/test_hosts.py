"""Workers consume, send, store dead letters and stop cleanly on the unusual hosts that docs/hosts.rst lists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from event_bus_kafka.sandbox import Sandbox
from tests.services.bus import SandboxBus
from tests.support.examples_of import certificate
from tests.support.hosts import run_worker
from tests.support.sending import send
from tests.support.workers import worker

IN_MEMORY = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
HOSTS: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "no database, locale C, 256 file descriptors": (
        {"LC_ALL": "C", "LANG": "C", "HOST": "descriptors"},
        {"DATABASES": {}},
    ),
    "no time zones, DEBUG, read-only file system": (
        {"HOST": "read-only", "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": "/nowhere"},
        {"USE_TZ": False, "TIME_ZONE": "America/New_York", "DEBUG": True, "DATABASES": IN_MEMORY},
    ),
}
"""
For each run of the test, the environment variables and the settings of the worker. One run covers several hosts of
docs/hosts.rst, because a worker takes seconds to start.
"""


@pytest.mark.parametrize("host", HOSTS)
def test_a_worker_can_consume_send_and_stop_cleanly_in_each_unusual_environment(
    sandbox: Sandbox, group: str, host: str
) -> None:
    environment, changes = HOSTS[host]
    process = run_worker(SandboxBus(sandbox), group, environment, changes)
    assert max(one["queries"] for one in process.heard("arrive")) <= 1, "under DEBUG, Django keeps each query"


def test_dead_letters_are_stored_on_a_topic_if_there_is_no_database(sandbox: Sandbox, group: str) -> None:
    bus, topic = SandboxBus(sandbox), f"of-{group}"
    bus.create_topic(topic)
    bus.create_topic(f"{group}.dead-letters")
    send(bus, topic, certificate(1), certificate(2))
    with worker(bus, topic, group, "fail_for_odd", DATABASES={}) as process:
        process.wait_for_log("stored as a dead letter")
        process.wait_for(lambda: 2 in process.users("fail_for_odd"))
        assert process.stop() == 0
    assert len(bus.records(f"{group}.dead-letters", 1)) == 1


def test_each_row_of_the_table_in_hosts_rst_names_existing_tests() -> None:
    rows = (
        Path("docs/hosts.rst").read_text().partition("Shown by")[2].partition("What strangers write")[0].split("* - ")
    )
    assert len(rows) == 10
    for row in rows[1:]:
        named = re.findall(r"``([\w/]+\.py)::(test_\w+)``", row)
        assert named, row
        for file, name in named:
            assert f"def {name}(" in Path("tests", file).read_text(), name
