"""Runs the test service's processes and reads their output."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from types import TracebackType
from typing import Any

from tests.projects.forking import OPTIONS, ForkedProcess
from tests.projects.forking import ROOT as ROOT

PATIENCE = 60.0
"""Number of seconds after which a wait fails. The number is large because only failing tests wait until this limit."""


class ServiceProcess:
    """A process of the test service. It runs a management command, or Python code after ``django.setup()``."""

    def __init__(
        self,
        *arguments: str,
        settings: Mapping[str, Any],
        code: str = "",
        receivers: str = "",
        environment: Mapping[str, str] | None = None,
        before: Sequence[str] = (),
    ) -> None:
        """Start a process. The words in ``before`` precede the command of the process."""
        command = ["-c", f"import django; django.setup()\n{code}"] if code else ["-m", "django", *arguments]
        variables = os.environ | {
            "DJANGO_SETTINGS_MODULE": "tests.projects.certificates.settings",
            "SERVICE_SETTINGS": json.dumps(settings),
            "RECEIVERS": receivers,
            "PYTHONPATH": str(ROOT),
        }
        variables |= environment or {}
        self._process: subprocess.Popen[str] | ForkedProcess
        if before or variables["PYTHONPATH"] != str(ROOT):
            self._process = subprocess.Popen(
                [*before, sys.executable, *OPTIONS, *command],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=variables,
            )
        else:
            self._process = ForkedProcess(*command, environment=variables)
        self.said: list[dict[str, Any]] = []
        self._lines: list[str] = []
        self._news: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._readers = [
            threading.Thread(target=self._read, args=(stream, keep), daemon=True)
            for stream, keep in ((self._process.stdout, self._keep_said), (self._process.stderr, self._keep_line))
        ]
        for reader in self._readers:
            reader.start()

    @property
    def log(self) -> str:
        """The text that the process has written to standard error so far."""
        return "\n".join(self._lines)

    @property
    def lines(self) -> list[str]:
        """
        The lines that the process has written to standard error so far, and its lines on standard output that are not
        JSON.
        """
        return self._lines

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def heard(self, what: str) -> list[dict[str, Any]]:
        """Return all lines of JSON with the name ``what`` that the process has printed until now."""
        return [line for line in self.said if line["what"] == what]

    def users(self, what: str) -> list[int]:
        """Return the user in each line of JSON with the name ``what`` that the process has printed until now."""
        return [line["user"] for line in self.heard(what)]

    def wait_for(self, condition: Callable[[], Any], why: str = "", *, seconds: float = PATIENCE) -> None:
        """
        Wait until ``condition`` returns a true value. Fail after ``seconds``, or if the process ends before. ``why`` is
        a part of the error.
        """
        deadline = monotonic() + seconds
        while not condition():
            left = deadline - monotonic()
            if left <= 0 or (
                self._process.poll() is not None and not any(map(threading.Thread.is_alive, self._readers))
            ):
                if condition():
                    return
                raise AssertionError(f"waited in vain {why}; exit code {self._process.poll()}\n{self.said}\n{self.log}")
            try:
                self._news.get(timeout=min(left, 0.1))
            except queue.Empty:
                continue

    def wait_for_log(self, text: str) -> None:
        self.wait_for(lambda: text in self.log, f"for the log line {text!r}")

    def wait_for_users(self, what: str, users: list[int]) -> None:
        self.wait_for(lambda: len(self.users(what)) >= len(users), f"for {len(users)} × {what!r}")
        assert self.users(what) == users, self.log

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def write(self, line: str) -> None:
        """Write a line to the process's standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def tell(self) -> None:
        """Close the process's standard input, which is the sign for some processes to continue."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    def end(self) -> int:
        """Wait until the process ends; return its exit code."""
        code = self._process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)
        return code

    def stop(self) -> int:
        """Send SIGTERM and wait until the process ends; return its exit code."""
        self.send(signal.SIGTERM)
        return self.end()

    def kill(self) -> None:
        """Send SIGKILL and wait until the process has ended."""
        self.send(signal.SIGKILL)
        self.end()

    def __enter__(self) -> ServiceProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self.end()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream:
                stream.close()

    def _read(self, stream: Any, keep: Callable[[str], None]) -> None:
        for line in stream:
            keep(line.rstrip("\n"))
            self._news.put(None)

    def _keep_said(self, line: str) -> None:
        try:
            self.said.append(json.loads(line))
        except ValueError:
            self._lines.append(line)

    def _keep_line(self, line: str) -> None:
        self._lines.append(line)
