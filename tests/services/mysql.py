"""Runs MySQL, the database of Open edX, from the Debian release sid. The client programs come from MariaDB."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

from tests.services.debian import install, unpack
from tests.services.downloads import cache_folder, fetched
from tests.services.mariadb import MariaDB


@cache
def mysql() -> Path:
    """
    Return the folder of MySQL. It contains packages of the Debian release sid and their libraries, because Debian 12
    has no MySQL.

    The subfolder ``data`` is an initialized data folder. Servers copy it, because an initialization takes seconds.
    """
    return fetched("mysql", _fetch)


def version() -> str:
    """Return the version of the downloaded server. The version is not pinned, because the versions in sid change."""
    folder = cache_folder() / "mysql"
    if not (folder / "data").exists():
        return "not fetched"
    return subprocess.run([*_mysqld(folder), "--version"], capture_output=True, text=True).stdout.partition("Ver ")[2]


class MySQL(MariaDB):
    """
    A server that does not sync its data to disk. The data survives SIGKILL, but not a crash of the machine.

    The server uses the downloaded libraries. If the tests run as root, the server also runs as root, because another
    user might have no access to the folder.
    """

    vendor = "mysql"
    _system_user = "root"

    def _install(self) -> None:
        install("mariadb-client")

    def _initialization(self) -> list[str]:
        return ["cp", "--recursive", "--no-preserve=ownership", str(mysql() / "data"), "data"]

    def _server(self) -> list[str]:
        return [
            *_mysqld(mysql()),
            f"--datadir={self._folder}/data",
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            "--socket=socket",  # relative to the data folder, since an absolute path may be too long
            "--mysqlx=OFF",
            "--secure-file-priv=NULL",
            "--character-set-server=utf8mb4",
            "--collation-server=utf8mb4_unicode_ci",
            "--explain-format=TRADITIONAL",
            "--skip-log-bin",
            "--skip-performance-schema",  # saves a hundred megabytes
            "--innodb-flush-log-at-trx-commit=2",
            "--innodb-doublewrite=OFF",
            "--innodb-log-writer-threads=OFF",  # faster on few cores
            "--innodb-fast-shutdown=2",
            "--innodb-redo-log-capacity=512M",
            *self._options,
        ]


def _fetch(folder: Path) -> None:
    unpack("mysql-server-core", suite="sid", folder=folder)
    small = ["--innodb-redo-log-capacity=8M", "--innodb-doublewrite=OFF"]
    command = [*_mysqld(folder), *small, "--initialize-insecure", f"--datadir={folder}/data"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"MySQL has no data folder:\n{done.stdout}{done.stderr}")


def _mysqld(root: Path) -> list[str]:
    (loader,) = root.glob("usr/lib*/ld-linux-*.so.*")
    (libraries,) = root.glob("usr/lib/*-linux-gnu")
    run = [str(loader), "--library-path", str(libraries), str(root / "usr/sbin/mysqld")]
    return [*run, "--no-defaults", "--user=root", f"--lc-messages-dir={root}/usr/share/mysql"]
