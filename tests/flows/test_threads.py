"""
The threads that run until the process ends continue after any exception, whether the service's code or the package
raises it (case S17).
"""

from __future__ import annotations

import re
from pathlib import Path

from pytest_django import DjangoDbBlocker

import event_bus_kafka
from event_bus_kafka.operations.probing.probe_event import PROBE_TOPIC
from event_bus_kafka.sandbox import Sandbox
from tests.projects.process import ServiceProcess
from tests.services.bus import SandboxBus
from tests.support.sqlite import on_sqlite

HERE = {"event-bus-producer", "event-bus-spill-{databases[0]}", "event-bus-housekeeping"}
ELSEWHERE = {
    "event-bus-asking": "unit/operations/test_status.py",
    "event-bus-companion": "unit/worker/test_companion.py",
    "event-bus-connect": "flows/test_requests.py",
    "event-bus-health": "unit/worker/test_health_port.py",
    "event-bus-lane-{number}": "unit/consuming/test_scheduler.py",
    "event-bus-registry": "contract/test_schema_registry.py",
    "event-bus-relay-{name}": "unit/relaying/test_relay.py",
    "event-bus-rights": "unit/worker/test_refused_topics.py",
    "event-bus-slow": "unit/worker/test_slow_receivers.py",
    "event-bus-watchdog": "unit/worker/test_worker.py",
}
"""Names of threads that end with their task. The value of each name is the file that tests exceptions in the thread."""


def test_each_thread_of_the_package_is_listed_in_this_file() -> None:
    package = Path(event_bus_kafka.__file__).parent
    others = {"sandbox", "admin"}  # the admin has such names of CSS classes
    sources = [path.read_text() for path in package.rglob("*.py") if others.isdisjoint(path.parts)]
    found = {
        name for source in sources for name in re.findall(r'(?<!class=)f?"(event-bus-[a-z]+(?:-\{[^}]*\})?)"', source)
    }
    simple = {re.sub(r"\{self\._(\w+)\}", r"{\1}", name) for name in found}
    assert simple - {PROBE_TOPIC} == HERE | ELSEWHERE.keys()


def test_exceptions_do_not_end_the_threads_that_run_until_the_process_ends(
    sandbox: Sandbox, tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    with django_db_blocker.unblock(), on_sqlite(tmp_path, "default") as file:
        entry = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(file)}
        settings = SandboxBus(sandbox).settings("t", DATABASES={"default": entry})
        code = "from tests.projects.certificates import stumbling; stumbling.run()"
        with ServiceProcess(code=code, settings=settings) as process:
            assert process.end() == 0, process.log
    (told,) = process.heard("threads")
    names = ["event-bus-housekeeping", "event-bus-producer", "event-bus-spill-default"]
    assert told["alive"] == names
    callbacks, threads = told["counted"]
    assert callbacks >= 4
    assert threads >= 12
    assert "stats_cb raised SystemExit (at /" in process.log
    assert "The thread event-bus-producer continues after an unexpected Odd (at /" in process.log
    assert "learner@example.com" not in process.log
