"""
Runs the test project that resembles the LMS, and collects the results. The project has web servers, a celery worker and
commands.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import attrs

from tests.projects.process import PATIENCE, ROOT, ServiceProcess
from tests.services.bus import CREATED, REVOKED, RealBus
from tests.services.process import ServerProcess, accepts, free_port
from tests.support.lms_databases import MIGRATE, LmsDatabases, name_in
from tests.support.outbox_service import KEY_FIELD, until

MODES = ("outbox", "on-commit")
VIEWS = (
    "atomic",
    "rolled_back",
    "plugin",
    "in_a_hook",
    "guarded",
    "non_atomic",
    "non_atomic_default",
    "atomic_replica",
    "atomic_history",
    "rolled_back_history",
    "asynchronous",
)
ASYNC_VIEWS = ("atomic", "rolled_back", "asynchronous", "asynchronous_atomic", "asynchronous_rolled_back")
JOBS = ("autocommit", "committed", "rolled_back", "beside_the_replica", "beside_the_history")
JOBS_APART = JOBS[:3]
CASES = {"wsgi": VIEWS, "asgi": ASYNC_VIEWS, "task": JOBS, "command": JOBS, "apart": JOBS_APART}
"""
The cases in which the project emits an event, by the place of the code that emits it. The place ``apart`` is a command
of a service whose outbox has a separate database.
"""
NAMES = tuple(f"{place}/{mode}/{case}" for place, cases in CASES.items() for mode in MODES for case in cases)

_AWAY = {
    "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9",
    "EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": "http://127.0.0.1:9",
    "EVENT_BUS_KAFKA_SHUTDOWN_FLUSH": 0.5,
    "EVENT_BUS_KAFKA_SHUTDOWN_SPILL": 6,
}
"""
Settings with an unreachable Kafka. An event that is emitted with these settings can reach Kafka only through an outbox.
"""
_BIN = Path(sys.executable).parent


@attrs.frozen(kw_only=True)
class Outcome:
    """
    The results of all emissions after all processes have ended. The name of an emission looks like
    ``wsgi/outbox/atomic``.
    """

    ends: Mapping[str, object]
    """
    The result of each emission by name. For a view this is the status code of the answer. For a job this is the
    exception that the job caught, or None.
    """
    saved: frozenset[str]
    """The names of the emissions whose data the service has committed in any database."""
    rows: Counter[tuple[str, str]]
    """The number of rows in the outboxes, by emission and database."""
    arrived: Counter[str]
    """The number of events of each emission that are in Kafka after a relay has run."""
    log: str

    def of(self, name: str) -> tuple[object, dict[str, int]]:
        """Return the result of an emission, and the number of its outbox rows per database."""
        return self.ends.get(name), {database: rows for (one, database), rows in self.rows.items() if one == name}


@attrs.frozen(kw_only=True)
class Project:
    """The test project that resembles the LMS. It runs in separate processes."""

    databases: LmsDatabases
    bus: RealBus
    folder: Path

    @contextmanager
    def databases_created(self) -> Iterator[None]:
        with self.databases.created():
            both = (self._settings(), self._settings_apart())
            with ExitStack() as running:
                for process in [running.enter_context(self._process(one, code=MIGRATE)) for one in both]:
                    assert process.end() == 0, process.log
            yield

    def run(self) -> Outcome:
        """Run all emissions, end all processes, read the databases, run a relay, and return the results."""
        away = self._settings(**_AWAY)
        commands = (
            (away, "request_asgi", "asgi"),
            (away, "run_jobs", "command"),
            (self._settings_apart(**_AWAY), "run_jobs", "apart"),
        )
        with ExitStack() as running:
            processes = [
                running.enter_context(self._process(settings, command, *_names(place)))
                for settings, command, place in commands
            ]
            ends = self._serve(away)
            logs = [(self.folder / "log").read_text(errors="replace")]
            for process in processes:
                assert process.end() == 0, process.log
                logs.append(process.log)
                ends |= _ends(process.said)
        saved, rows = self.databases.saved(), self.databases.rows()
        return Outcome(ends=ends, saved=saved, rows=rows, arrived=self._relay(), log="\n".join(logs))

    def _serve(self, settings: Mapping[str, Any]) -> dict[str, object]:
        """
        Run a web server and a celery worker until all views have answered and all tasks have run; return the result of
        each emission.
        """
        log = self.folder / "log"
        for name in ("tasks", "control"):
            (self.folder / name).mkdir()
        port = free_port()
        environment = os.environ | self._environment | {"SERVICE_SETTINGS": json.dumps(settings)}
        quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        commands = (
            ["gunicorn", "tests.projects.lms_like.wsgi", "--no-control-socket", "--bind", f"127.0.0.1:{port}"],
            ["celery", "-A", "tests.projects.lms_like.celery", "worker", "-c1", *quiet],
        )
        servers = [
            ServerProcess([str(_BIN / name), *options], log=log, environment=environment, folder=ROOT)
            for name, *options in commands
        ]
        try:
            servers[0].wait_until(lambda: accepts(port))
            answers = {name: _get(f"http://127.0.0.1:{port}/{name}") for name in (*_names("wsgi"), *_names("task"))}
            until(lambda: len(_said(log)) >= len(_names("task")))
            return answers | _ends(_said(log))
        finally:
            with ThreadPoolExecutor() as threads:  # in parallel, since each process waits long for events that are lost
                list(threads.map(partial(ServerProcess.stop, seconds=PATIENCE), servers))

    def _relay(self) -> Counter[str]:
        for topic in self._topics:
            self.bus.create_topic(topic)
        with self._process(self._settings(), "relay_events", "--once") as relay:
            assert relay.end() == 0, relay.log
        arrived: Counter[str] = Counter()
        for topic in self._topics:
            arrived.update(name_in(record.value() or b"") for record in self.bus.records_from(topic, 0))
        return arrived

    @property
    def _topics(self) -> tuple[str, str]:
        return f"lms-{self.databases.server.vendor}", f"lms-{self.databases.server.vendor}-on-commit"

    def _settings(self, **changes: Any) -> dict[str, Any]:
        outbox, on_commit = self._topics
        entry = {"event_key_field": KEY_FIELD, "enabled": True}
        config = {CREATED: {outbox: entry}, REVOKED: {on_commit: entry | {"mode": "on-commit"}}}
        settings = self.bus.settings(EVENT_BUS_PRODUCER_CONFIG=config, DATABASES=self.databases.entries())
        return settings | changes

    def _settings_apart(self, **changes: Any) -> dict[str, Any]:
        databases = self.databases.entries_apart()
        return self._settings(DATABASES=databases, OUTBOX_DATABASE="events", COURSES_DATABASE="default", **changes)

    @property
    def _environment(self) -> dict[str, str]:
        return {
            "DJANGO_SETTINGS_MODULE": "tests.projects.lms_like.settings",
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests/projects/lms_like/installed'}",
            "CELERY_FOLDER": str(self.folder),
            "XDG_CACHE_HOME": str(self.folder),  # for stevedore's cache of plugins
        }

    def _process(self, settings: Mapping[str, Any], *arguments: str, code: str = "") -> ServiceProcess:
        return ServiceProcess(*arguments, settings=settings, code=code, environment=self._environment)


def _names(place: str) -> list[str]:
    return [name for name in NAMES if name.startswith(f"{place}/")]


def _get(url: str) -> int:
    try:
        with urlopen(url, timeout=PATIENCE) as answer:
            return int(answer.status)
    except HTTPError as error:
        with error:
            return error.code


def _said(log: Path) -> list[dict[str, Any]]:
    lines = log.read_text(errors="replace").splitlines()
    return [json.loads(line) for line in lines if line.startswith('{"what": "ran"')]


def _ends(said: Iterable[Mapping[str, Any]]) -> dict[str, object]:
    return {line["name"]: line["status"] if line["what"] == "answered" else line["error"] for line in said}
