"""A server process: started, waited for, stopped by its own id, gone with its parent."""

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
"""From there on Linux hands out ports to outgoing connections."""
_dice = SystemRandom()  # the other one is seeded alike in all processes of a run


class ServerFailed(Exception):
    """A server did not start; the message ends with the tail of its log."""


class ServerProcess:
    """One server process, run in ``folder``; its output goes to ``log``."""

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
        """Wait until the server answers. Raises :class:`ServerFailed`."""
        deadline = monotonic() + seconds
        while not ready():
            if self._process.poll() is not None or monotonic() > deadline:
                self.stop()
                raise ServerFailed(f"{self._command[0]} did not start:\n{self._tail()}")
            sleep(0.05)

    def stop(self, number: signal.Signals = signal.SIGTERM, *, seconds: float = 20) -> None:
        """Ask it to end, and kill it if it does not within ``seconds``."""
        self._process.send_signal(number)
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()

    def _tail(self) -> str:
        return self._log.read_text(errors="replace")[-3000:]


def free_port() -> int:
    """
    Return a port of 127.0.0.1 that is free, and kept for this process as long as it runs: bound, so that nobody else is
    given it before a server listens there, or while one is down. Servers may bind it too, as they all ask to reuse an
    address. No outgoing connection is given it: a client that looks for a server which is down might connect to itself,
    and keep the server from coming back.
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
    """Whether something listens on a port of 127.0.0.1."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=0.2).close()
    except OSError:
        return False
    return True


def _die_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
