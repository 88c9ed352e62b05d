"""Fixtures for Kafka and databases: the sandbox, and real services that are started once per run."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from hypothesis import settings
from pytest_django import DjangoDbBlocker

from event_bus_kafka.sandbox import Sandbox
from tests.services.bus import Bus, RealBus, SandboxBus
from tests.services.guarded import GuardedKafka
from tests.services.kafka import KafkaCluster
from tests.services.mariadb import MariaDB
from tests.services.mysql import MySQL
from tests.services.mysql import version as mysql_version
from tests.services.postgresql import PostgreSQL
from tests.services.schema_registry import SchemaRegistry
from tests.support.databases import DATABASES, Database, database_on
from tests.support.dead_letters import InTable, Kept, OnTopic

settings.register_profile("ci", derandomize=True, deadline=None, max_examples=20)
settings.register_profile("long", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

# A shell makes background processes ignore SIGINT, and the processes that tests interrupt would inherit this.
signal.signal(signal.SIGINT, signal.default_int_handler)

# pytest finds an installed plugin by itself; registering it a second time would be an error.
pytest_plugins = [] if entry_points(group="pytest11", name="event_bus_kafka") else ["event_bus_kafka.testing.plugin"]

# Show both sides of a failed assertion, as pytest does for tests.
pytest.register_assert_rewrite("tests.support.order", "tests.support.dead_letter_command")

_LONG_FILES = (
    "documentation/test_tutorial.py",
    "examples/test_demo.py",
    "flows/test_order.py",
    "flows/test_stopping.py",
    "interop/test_evolution.py",
    "outbox/test_chaos.py",
    "outbox/test_outages.py",
    "outbox/test_trouble.py",
    "real/test_access.py",
    "real/test_brokers.py",
    "real/test_groups.py",
    "real/test_rebalances.py",
)
_numbers = itertools.count(1)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """
    Run the files that take minutes first. If a slow file started last, one process of a parallel run would still be
    busy after the other processes have ended.
    """
    items.sort(key=lambda item: not item.path.as_posix().endswith(_LONG_FILES))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the version of MySQL on which the tests ran, because this version is not pinned."""
    reports = itertools.chain.from_iterable(terminalreporter.stats.values())
    if any(isinstance(one, pytest.TestReport) and "[mysql" in one.nodeid for one in reports):
        terminalreporter.write_line(f"MySQL: {mysql_version()}".strip())


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """Return a sandbox for the whole run."""
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def cluster() -> Iterator[KafkaCluster]:
    """Return a real broker for the whole run."""
    with KafkaCluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")  # an idle broker uses a thirtieth of a core: it does not run for the whole run
def three_brokers() -> Iterator[KafkaCluster]:
    """
    Return a cluster of three brokers that all tests of a file share. A test that stops a broker must start it again.
    """
    with KafkaCluster(3) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def guarded() -> Iterator[GuardedKafka]:
    """
    Return a broker with authentication, which all tests of a file share. Tests can connect to this broker through a
    proxy.
    """
    with GuardedKafka() as guarded:
        yield guarded


@pytest.fixture(scope="session")
def schema_registry() -> Iterator[SchemaRegistry]:
    """Return a real registry for the whole run."""
    with SchemaRegistry() as registry:
        yield registry


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """Return a PostgreSQL server for the whole run."""
    with PostgreSQL() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    """Return a MariaDB server for the whole run."""
    with MariaDB() as server:
        yield server


@pytest.fixture(scope="session")
def mysql() -> Iterator[MySQL]:
    """Return a MySQL server for the whole run."""
    with MySQL() as server:
        yield server


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest, django_db_blocker: DjangoDbBlocker) -> Iterator[Database]:
    """
    Return a migrated database. Each test runs once on PostgreSQL and once on MariaDB. In long runs, and with the mark
    `on_mysql_too`, it also runs on MySQL.
    """
    server = request.getfixturevalue(request.param)
    with database_on(server, f"test_{next(_numbers)}", django_db_blocker) as database:
        yield database


@pytest.fixture(params=["sandbox", pytest.param("real", marks=pytest.mark.real)])
def bus(request: pytest.FixtureRequest) -> Bus:
    """Return Kafka and a schema registry. Each test runs once on the sandbox and once on real services."""
    if request.param == "sandbox":
        return SandboxBus(request.getfixturevalue("sandbox"))
    real: RealBus = request.getfixturevalue("real_bus")
    return real


@pytest.fixture
def real_bus(cluster: KafkaCluster, schema_registry: SchemaRegistry) -> RealBus:
    """Return a real Kafka and a real registry."""
    return RealBus(cluster, schema_registry)


@pytest.fixture
def topic(bus: Bus) -> str:
    """Return a topic that no other test uses, with one partition."""
    name = f"topic-{next(_numbers)}"
    bus.create_topic(name)
    return name


@pytest.fixture
def group() -> str:
    """Return a consumer group that no other test uses."""
    return f"group-{next(_numbers)}"


@pytest.fixture(params=["topic", "table"])
def kept(
    request: pytest.FixtureRequest, bus: Bus, group: str, tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> Kept:
    """Return a store for the group's dead letters. Each test runs once with a topic and once with a table."""
    if request.param == "topic":
        return OnTopic(bus, group).create()
    entry = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "database")}
    return InTable(entry, django_db_blocker).migrate()
