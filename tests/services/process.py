"""
Runs a server process, and stops it by its process id. The process is killed at the end of the thread that started it.
"""

from __future__ import annotations

import ctypes
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import SystemRandom
from time import monotonic, sleep

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)
_PORTS = (10_000, 32_768)
"""The range of ports for servers, without its end. Linux uses the ports from 32768 on for outgoing connections."""
_dice = SystemRandom()  # `random` is seeded equally in all processes of a test run


class ServerFailed(Exception):
    """
    The exception that is raised if a server did not start. Its message contains the last lines of the server's log.
    """


class ServerProcess:
    """A server process. It runs in ``folder``, and its output is written to ``log``."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        self._command = list(command)
        self._log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=environment,
                cwd=folder,
                preexec_fn=_die_with_parent,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_until(self, ready: Callable[[], bool], *, seconds: float = 60) -> None:
        """
        Wait until ``ready`` returns True. Raises :class:`ServerFailed` if the process ends first or ``seconds`` have
        passed.
        """
        deadline = monotonic() + seconds
        while not ready():
            if self._process.poll() is not None or monotonic() > deadline:
                self.stop()
                raise ServerFailed(f"{self._command[0]} did not start:\n{self._tail()}")
            sleep(0.05)

    def stop(self, number: signal.Signals = signal.SIGTERM, *, seconds: float = 20) -> None:
        """Send a signal to the process. If it still runs after ``seconds``, kill it."""
        self._process.send_signal(number)
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Kill the process."""
        self._process.kill()
        self._process.wait()

    def _tail(self) -> str:
        return self._log.read_text(errors="replace")[-3000:]


def free_port() -> int:
    """
    Return a free port of 127.0.0.1, and reserve the port for this process as long as this process runs.

    The reserved port stays bound. So no other process gets the port before a server listens on it, or while the server
    is stopped. The servers can nevertheless bind the port, because all of them set SO_REUSEADDR.

    No outgoing connection gets the port. Otherwise a client of a stopped server could connect to itself and block the
    port.
    """
    while True:
        holder = socket.socket()
        try:
            holder.bind(("127.0.0.1", port := _dice.randrange(*_PORTS)))
        except OSError:
            holder.close()
            continue
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.detach()
        return port


def accepts(port: int) -> bool:
    """Return whether a process listens on a port of 127.0.0.1."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=0.2).close()
    except OSError:
        return False
    return True


def _die_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
