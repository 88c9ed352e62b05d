"""
Runs a database server with a separate data folder. Subclasses in other modules implement the differences between
servers.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, ClassVar, Self

from tests.services.downloads import cache_folder, locked
from tests.services.process import ServerFailed, ServerProcess, free_port

_SECONDS = 60


class DatabaseServer(ABC):
    """
    A database server on 127.0.0.1. Its data is deleted when the server is closed.

    The server runs as the current user. If the current user is root, the server runs as the user
    ``_system_user``, because most database servers refuse to run as root by default.
    """

    vendor: ClassVar[str]
    _system_user: ClassVar[str]
    _stop_signal: ClassVar[signal.Signals]
    _orphan_signal: ClassVar[signal.Signals]

    def __init__(self) -> None:
        self._port = free_port()
        self._folder = Path()
        self._process: ServerProcess | None = None

    @property
    def port(self) -> int:
        return self._port

    @property
    def log(self) -> str:
        return (self._folder / "log").read_text(errors="replace")

    def __enter__(self) -> Self:
        with locked(cache_folder()):
            self._install()
        self._folder = Path(tempfile.mkdtemp(prefix=f"event-bus-{self.vendor}-", dir=_reachable_folder()))
        if os.geteuid() == 0:
            shutil.chown(self._folder, self._system_user, self._system_user)
        try:
            self._initialize()
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        """
        Start the server with the same port and the same data as before, and wait until it answers. If the server is
        already running, do nothing.

        The server is killed when the thread that started it ends.
        """
        deadline = monotonic() + _SECONDS
        while self._process is None:
            self._process = ServerProcess(
                self._own(self._server()),
                log=self._folder / "log",
                environment=self._environment(),
                folder=self._folder,
            )
            try:
                self._process.wait_until(self._answers, seconds=_SECONDS)
            except ServerFailed as failed:
                self._process = None
                # Busy backends survive a killed PostgreSQL for a while and keep its shared memory.
                if "in use" not in str(failed) or monotonic() > deadline:
                    raise

    def stop(self) -> None:
        """If the server runs, stop it cleanly and quickly. Its clients lose their connections."""
        if self._process is not None:
            self._process.stop(self._stop_signal)
            self._process = None

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """
        While the block runs, the server accepts connections and does not answer, like a server on a host that hangs.
        """
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._process.pid, signal.SIGCONT)

    def kill(self) -> None:
        """Stop the server with SIGKILL if it runs."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    @abstractmethod
    def settings(self, name: str = "test") -> dict[str, Any]:
        """Return Django's settings for the database ``name``. If the database does not exist, create it."""

    @abstractmethod
    def copy(self, name: str, copy: str) -> None:
        """Create a database ``copy`` with the tables and rows of ``name``. No client may be connected to ``name``."""

    @abstractmethod
    def drop(self, name: str) -> None:
        """
        Drop a database, even if clients are connected to the database. If the database does not exist, do nothing.
        """

    def execute(self, sql: str) -> str:
        """Run statements as the server's administrator; return the resulting rows, one row per line."""
        done = self._ask(sql)
        if done.returncode:
            raise RuntimeError(f"{self.vendor} refused: {done.stderr}")
        return done.stdout.strip()

    @abstractmethod
    def _install(self) -> None: ...

    @abstractmethod
    def _initialization(self) -> list[str]:
        """Return the command that creates the data folder."""

    @abstractmethod
    def _server(self) -> list[str]:
        """Return the command that runs the server in the foreground."""

    @abstractmethod
    def _client(self) -> list[str]:
        """
        Return the command of a client that runs the statements on its standard input. The client stops at the first
        error.
        """

    def _initialize(self) -> None:
        command = self._own(self._initialization())
        done = subprocess.run(command, cwd=self._folder, env=self._environment(), capture_output=True, text=True)
        if done.returncode:
            raise ServerFailed(f"{self.vendor} has no data folder:\n{done.stdout}{done.stderr}")

    def _environment(self) -> dict[str, str]:
        return os.environ | {"TMPDIR": str(self._folder)}

    def _answers(self) -> bool:
        return self._ask("select 1").returncode == 0

    def _ask(self, sql: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self._client(), input=sql, capture_output=True, text=True)

    def _own(self, command: list[str]) -> list[str]:
        """
        Return a command that runs ``command`` as the server's user, and that ends together with its parent process.
        """
        user = self._system_user
        change = [f"--reuid={user}", f"--regid={user}", "--clear-groups"] if os.geteuid() == 0 else []
        return ["setpriv", *change, f"--pdeathsig={self._orphan_signal.name.removeprefix('SIG')}", *command]


def _reachable_folder() -> Path:
    """Return the default folder for temporary files. If other users cannot access this folder, return /tmp."""
    folder = Path(tempfile.gettempdir()).absolute()
    reachable = all(one.stat().st_mode & 0o001 for one in (folder, *folder.parents))
    return folder if reachable else Path("/tmp")
