"""Runs Debian's PostgreSQL, version 15 or later."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

from tests.services.database import DatabaseServer
from tests.services.debian import install


class PostgreSQL(DatabaseServer):
    """A server that does not sync its data to disk. The data survives SIGKILL, but not a crash of the machine."""

    vendor = "postgresql"
    _system_user = "postgres"
    _stop_signal = signal.SIGINT  # SIGTERM would wait for the clients
    _orphan_signal = signal.SIGQUIT  # busy backends would survive SIGKILL

    def settings(self, name: str = "test") -> dict[str, Any]:
        if not self.execute(f"select 1 from pg_database where datname = '{name}'"):
            self.execute(f'create database "{name}"')
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": name,
            "USER": "postgres",
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
        }

    def copy(self, name: str, copy: str) -> None:
        self.execute(f'create database "{copy}" template "{name}"')

    def drop(self, name: str) -> None:
        self.execute(f'drop database if exists "{name}" with (force)')

    def _install(self) -> None:
        if not _programs():
            install("postgresql")

    def _initialization(self) -> list[str]:
        options = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        return [f"{_programs()[-1]}/initdb", f"--pgdata={self._folder}/data", *options]

    def _server(self) -> list[str]:
        options = ["listen_addresses=127.0.0.1", f"port={self.port}", "unix_socket_directories=", "fsync=off"]
        return [f"{_programs()[-1]}/postgres", "-D", f"{self._folder}/data", *(f"--{option}" for option in options)]

    def _client(self) -> list[str]:
        connection = ["--host=127.0.0.1", f"--port={self.port}", "--username=postgres", "--dbname=postgres"]
        output = ["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]
        return [f"{_programs()[-1]}/psql", *connection, *output]


def _programs() -> list[Path]:
    """Return the folders with the programs of each installed version, the oldest version first."""
    servers = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    return [server.parent for server in sorted(servers, key=lambda server: int(server.parts[-3]))]
