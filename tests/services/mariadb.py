"""Runs Debian's MariaDB with the character set that Open edX uses for MySQL."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Any

from tests.services.database import DatabaseServer
from tests.services.debian import install

_SERVER = Path("/usr/sbin/mariadbd")


class MariaDB(DatabaseServer):
    """
    A server that does not sync its data to disk. The data survives SIGKILL, but not a crash of the machine.

    ``options`` contains additional command-line options.
    """

    vendor = "mariadb"
    _system_user = "mysql"
    _stop_signal = signal.SIGTERM
    _orphan_signal = signal.SIGKILL

    def __init__(self, *options: str) -> None:
        super().__init__()
        self._options = options

    def settings(self, name: str = "test") -> dict[str, Any]:
        self.execute(f"create database if not exists `{name}`")
        return {
            "ENGINE": "django.db.backends.mysql",
            "NAME": name,
            "USER": "root",
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "OPTIONS": {"charset": "utf8mb4"},
        }

    def copy(self, name: str, copy: str) -> None:
        command = ["mariadb-dump", *self._connection(), "--single-transaction", name]
        dump = subprocess.run(command, capture_output=True, check=True, text=True).stdout
        self.execute(f"create database `{copy}`; use `{copy}`;\n{dump}")

    def drop(self, name: str) -> None:
        self.execute(f"drop database if exists `{name}`")

    def _install(self) -> None:
        if not _SERVER.exists():
            install("mariadb-server")

    def _initialization(self) -> list[str]:
        options = ["--auth-root-authentication-method=normal", "--skip-test-db"]
        return ["mariadb-install-db", "--no-defaults", f"--datadir={self._folder}/data", *options]

    def _server(self) -> list[str]:
        return [
            str(_SERVER),
            "--no-defaults",
            f"--datadir={self._folder}/data",
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            "--socket=socket",  # relative to the data folder, since an absolute path may be too long
            "--character-set-server=utf8mb4",
            "--collation-server=utf8mb4_unicode_ci",
            "--innodb-flush-log-at-trx-commit=2",
            "--innodb-doublewrite=OFF",
            "--innodb-log-file-size=512M",  # with the default of 96 MB pages are soon written to disk
            *self._options,
        ]

    def _client(self) -> list[str]:
        return ["mariadb", *self._connection(), "--skip-column-names", "--batch"]

    def _connection(self) -> list[str]:
        return ["--no-defaults", "--host=127.0.0.1", f"--port={self.port}", "--user=root"]
