"""The databases that the tests start: they serve Django, can be hurt and mended, and leave nothing behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import Any

import psutil
import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import connections
from django.db.utils import OperationalError

from tests.databases import Database
from tests.service.process import ServiceProcess
from tests.services.database import DatabaseServer
from tests.services.mariadb import MariaDB
from tests.services.postgresql import PostgreSQL
from tests.services.process import accepts

pytestmark = pytest.mark.real

PRODUCTS = {"postgresql": "PostgreSQL", "mariadb": "MariaDB"}


def version(database: Database) -> str:
    with connections["real"].cursor() as cursor:
        cursor.execute("select version()")
        (text,) = cursor.fetchone()
    return str(text)


def test_a_test_reaches_a_migrated_database(database: Database) -> None:
    with database.connected():
        assert PRODUCTS[database.vendor] in version(database)
        assert ContentType.objects.using("real").exists()
    assert "real" not in connections


def test_a_database_can_stand_in_for_the_default_one(database: Database) -> None:
    before = connections["default"]
    with database.connected("default") as connection:
        ContentType.objects.create(app_label="stands", model="in")
        assert connection.settings_dict["NAME"] == database.entry["NAME"]
    assert connections["default"] is before
    assert before.settings_dict is connections.settings["default"]
    assert connection.connection is None


def test_every_test_finds_a_database_without_the_rows_of_others(database: Database) -> None:
    with database.connected(), pytest.raises(ContentType.DoesNotExist):
        ContentType.objects.using("real").get(app_label="stands")


def test_a_service_reaches_it_too(database: Database) -> None:
    code = """
from django.db import connection
from tests.service.apps import say
with connection.cursor() as cursor:
    cursor.execute("select version()")
    say("version", text=cursor.fetchone()[0])
connection.close()
"""
    with ServiceProcess(settings=database.settings(), code=code) as process:
        assert process.end() == 0, process.log
    assert PRODUCTS[database.vendor] in process.heard("version")[0]["text"]


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_rows_outlive_a_stop_and_a_kill_and_connections_do_not(database: Database, how: str) -> None:
    rows = ContentType.objects.using("real")
    with database.connected() as connection:
        rows.create(app_label="outlives", model=how)
        getattr(database.server, how)()
        with pytest.raises(OperationalError):
            rows.count()
        assert not accepts(database.server.port)
        database.server.start()
        connection.close()
        assert rows.filter(app_label="outlives").count() == 1


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_postgresql_starts_again_when_the_backends_of_the_killed_one_are_gone(database: Database) -> None:
    server = database.server
    with database.connected() as connection, connection.cursor() as cursor:
        cursor.execute("select pg_backend_pid()")
        backend = psutil.Process(cursor.fetchone()[0])
        backend.suspend()  # as a busy one, it does not notice the end of its server
        server.kill()

        def resume() -> None:
            while "is still in use" not in server.log:
                sleep(0.05)
            backend.resume()

        threading.Thread(target=resume, daemon=True).start()
        server.start()
    assert "is still in use" in server.log
    assert server.execute("select 1") == "1"


@pytest.mark.parametrize("kind", [PostgreSQL, MariaDB])
def test_a_start_installs_nothing_where_all_is_there(
    kind: type[DatabaseServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("apt-get", "sudo"):
        (tmp_path / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/called\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with kind() as server:
        assert server.execute("select 1") == "1"
    assert not (tmp_path / "called").exists()


@contextmanager
def running_command() -> Iterator[tuple[subprocess.Popen[str], dict[str, Any], list[psutil.Process]]]:
    """Start the command; return it with what it says and with the processes that it started."""
    command = [sys.executable, "-m", "tests.services", "--json", "--databases"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        yield process, said, psutil.Process(process.pid).children(recursive=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_runs_after_the_command(number: signal.Signals) -> None:
    with running_command() as (process, said, started):
        assert {entry["ENGINE"] for entry in said["databases"].values()} == {
            "django.db.backends.postgresql",
            "django.db.backends.mysql",
        }
        assert {"postgres", "mariadbd", "java"} <= {one.name() for one in started}
        folders = {Path(one.cwd()) for one in started if one.name() != "java"}
        assert all(folder.is_dir() for folder in folders)
        process.send_signal(number)
        assert process.wait(60) == (0 if number == signal.SIGTERM else -number)
        _, alive = psutil.wait_procs(started, timeout=60)
    assert alive == []
    assert number == signal.SIGKILL or not any(folder.exists() for folder in folders)
