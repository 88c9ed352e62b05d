"""
Starts Python processes in a third of the usual time. The processes are forks of a process that has already imported
Django and other libraries.

The parent process has a single thread, no settings, and no modules of this package. A fork behaves like ``python -m``
or ``python -c``: its code is ``__main__``, and its interpreter ends normally.
"""

from __future__ import annotations

import atexit
import functools
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import IO, Any

ROOT = Path(__file__).parent.parent.parent
OPTIONS = ("-W", "error::ResourceWarning")
_LIBRARIES = (
    "confluent_kafka.admin",
    "confluent_kafka.schema_registry",
    "django.core.management",
    "django.db.models",
    "django.test",
    "edx_django_utils.monitoring",
    "fastavro",
    "openedx_events.content_authoring.data",
    "openedx_events.enterprise.data",
    "openedx_events.event_bus",
    "openedx_events.learning.data",
)
_SIZE = 200_000
"""The maximal size of a request in bytes."""


class ForkedProcess:
    """Offers the methods of ``subprocess.Popen`` that tests use. Its streams are pipes for text."""

    def __init__(self, *command: str, environment: Mapping[str, str]) -> None:
        """Start a process. ``command`` contains the arguments of ``python``. The first argument is ``-m`` or ``-c``."""
        (read, stdin), (stdout, write), (stderr, write_errors) = (os.pipe() for _ in range(3))
        self.stdin: IO[str] = os.fdopen(stdin, "w")
        self.stdout: IO[str] = os.fdopen(stdout)
        self.stderr: IO[str] = os.fdopen(stderr)
        self._server = _server()
        self._code: int | None = None
        self.pid = self._server.ask((command, dict(environment)), read, write, write_errors)
        for theirs in (read, write, write_errors):
            os.close(theirs)
        self._descriptor = os.pidfd_open(self.pid)  # exists even if the process has ended: its exit code is unread
        self._lock = Lock()

    def poll(self) -> int | None:
        return self._code_within(0)

    def wait(self, seconds: float) -> int:
        code = self._code_within(seconds)
        if code is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", seconds)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _code_within(self, seconds: float) -> int | None:
        with self._lock:
            if self._code is None:
                end = select.poll()
                end.register(self._descriptor, select.POLLIN)
                if end.poll(seconds * 1000):
                    self._code = self._server.ask(self.pid)
                    os.close(self._descriptor)
            return self._code


class _Server:
    """Starts the process that forks, and sends requests to it."""

    def __init__(self) -> None:
        self._connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = Lock()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, *OPTIONS, "-m", "tests.projects.forking", str(theirs.fileno())],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                pass_fds=[theirs.fileno()],
            )

    def ask(self, request: Any, *streams: int) -> int:
        """
        Send a request. If the request is a command with its environment, return the id of the new process. If the
        request is the id of a process, wait until this process ends, and return its exit code.
        """
        with self._lock:
            socket.send_fds(self._connection, [json.dumps(request).encode()], streams)
            return int(self._connection.recv(100))

    def close(self) -> None:
        self._connection.close()
        self._process.wait()


@functools.cache
def _server() -> _Server:
    server = _Server()
    atexit.register(server.close)
    return server


def _serve(connection: socket.socket) -> Sequence[str]:
    """
    Answer each request: fork for a command, or wait for the end of a process. In the parent this function never
    returns; the parent exits when the process that sends requests has ended. In each fork this function returns the
    command to run.
    """
    while True:
        message, streams, *_ = socket.recv_fds(connection, _SIZE, 3)
        if not message:
            sys.exit()
        request = json.loads(message)
        if not streams:
            answer = os.waitstatus_to_exitcode(os.waitpid(request, 0)[1])
        elif not (answer := os.fork()):
            command: list[str]
            command, environment = request
            for number, stream in enumerate(streams):
                os.dup2(stream, number)
                os.close(stream)
            os.environ.clear()
            os.environ.update(environment)
            time.tzset()
            return command
        for stream in streams:
            os.close(stream)
        connection.send(str(answer).encode())


def _run(option: str, code: str, *arguments: str) -> None:
    sys.argv = [option, *arguments]
    if option == "-m":
        runpy.run_module(code, run_name="__main__", alter_sys=True)
    else:
        exec(code, {"__name__": "__main__"})


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # only forks handle Ctrl-C
    for library in _LIBRARIES:
        importlib.import_module(library)
    gc.collect()
    gc.freeze()  # otherwise a collection in a fork would copy shared memory
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        command = _serve(connection)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _run(*command)
