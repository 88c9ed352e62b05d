"""
The database servers of the tests serve Django, can be stopped and restarted, and leave no processes behind. Files
remain only if the command that started the servers is killed.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from time import sleep

import psutil
import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import connections
from django.db.utils import OperationalError

from tests.projects.process import ServiceProcess
from tests.services.database import DatabaseServer
from tests.services.mariadb import MariaDB
from tests.services.mysql import MySQL
from tests.services.postgresql import PostgreSQL
from tests.services.process import accepts
from tests.support.databases import Database, database_on, on_mysql_too

pytestmark = pytest.mark.real

PRODUCTS = {"postgresql": "PostgreSQL", "mariadb": "MariaDB", "mysql": r"^\d+\.\d+\.\d+(?!.*MariaDB)"}


def version(database: Database) -> str:
    with connections["real"].cursor() as cursor:
        cursor.execute("select version()")
        (text,) = cursor.fetchone()
    return str(text)


@on_mysql_too
def test_a_test_can_connect_to_a_migrated_database(database: Database) -> None:
    with database.connected():
        assert re.search(PRODUCTS[database.vendor], version(database))
        assert ContentType.objects.using("real").exists()
    assert "real" not in connections


def test_a_test_database_can_temporarily_replace_the_default_database(database: Database) -> None:
    before = connections["default"]
    with database.connected("default") as connection:
        ContentType.objects.create(app_label="stands", model="in")
        assert connection.settings_dict["NAME"] == database.entry["NAME"]
    assert connections["default"] is before
    assert before.settings_dict is connections.settings["default"]
    assert connection.connection is None


def test_databases_of_one_server_do_not_share_rows(database: Database) -> None:
    with database.connected():
        ContentType.objects.using("real").create(app_label="only", model="here")
    with database_on(database.server, "another", database.blocker) as another, another.connected():
        assert ContentType.objects.using("real").exists()
        assert not ContentType.objects.using("real").filter(app_label="only").exists()


@on_mysql_too
def test_a_service_process_can_connect_to_a_test_database(database: Database) -> None:
    code = """
from django.db import connection
from tests.projects.certificates.apps import say
with connection.cursor() as cursor:
    cursor.execute("select version()")
    say("version", text=cursor.fetchone()[0])
connection.close()
"""
    with ServiceProcess(settings=database.settings(), code=code) as process:
        assert process.end() == 0, process.log
    assert re.search(PRODUCTS[database.vendor], process.heard("version")[0]["text"])


@on_mysql_too
@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_stopped_or_killed_server_refuses_queries_and_has_the_same_rows_after_its_restart(
    database: Database, how: str
) -> None:
    rows = ContentType.objects.using("real")
    with database.connected() as connection:
        rows.create(app_label="outlives", model=how)
        getattr(database.server, how)()
        with pytest.raises(OperationalError):
            while True:
                rows.count()  # a backend that has not noticed the end of its server may still answer
        assert not accepts(database.server.port)
        database.server.start()
        connection.close()
        assert rows.filter(app_label="outlives").count() == 1


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_postgresql_restarts_after_the_backends_of_a_killed_server_have_ended(database: Database) -> None:
    server = database.server
    with database.connected() as connection, connection.cursor() as cursor:
        cursor.execute("select pg_backend_pid()")
        backend = psutil.Process(cursor.fetchone()[0])
        backend.suspend()  # a stopped backend does not notice the end of its server, like a busy one
        server.kill()

        def resume() -> None:
            while "is still in use" not in server.log:
                sleep(0.05)
            backend.resume()

        threading.Thread(target=resume, daemon=True).start()
        server.start()
    assert "is still in use" in server.log
    assert server.execute("select 1") == "1"


@pytest.mark.parametrize("kind", [PostgreSQL, MariaDB, MySQL])
def test_starting_an_installed_server_runs_no_package_manager(
    kind: type[DatabaseServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("apt-get", "sudo"):
        (tmp_path / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/called\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with kind() as server:
        assert server.execute("select 1") == "1"
    assert not (tmp_path / "called").exists()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """
    Return a folder that the users of the servers can access. If a command is killed, its remaining files are in this
    folder.
    """
    with tempfile.TemporaryDirectory(prefix="event-bus-tests-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_server_process_survives_the_command_that_started_it(number: signal.Signals, open_folder: Path) -> None:
    command = [sys.executable, "-m", "tests.services", "--json", "--databases"]
    environment = os.environ | {"TMPDIR": str(open_folder)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        assert set(json.loads(process.stdout.readline())["databases"]) == {"postgresql", "mariadb", "mysql"}
        started = psutil.Process(process.pid).children(recursive=True)
        assert {"postgres", "mariadbd", "java"} <= {one.name() for one in started}
        assert any("/mysqld" in argument for one in started for argument in one.cmdline())
        assert list(open_folder.glob("event-bus-*/data"))
        process.send_signal(number)
        assert process.wait(60) == (0 if number == signal.SIGTERM else -number)
        _, alive = psutil.wait_procs(started, timeout=60)
    assert alive == []
    if number == signal.SIGTERM:
        assert list(open_folder.glob("event-bus-*")) == []
