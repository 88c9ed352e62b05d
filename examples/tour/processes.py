"""Processes that the tour starts, and the signals that end the tour."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any

_STOP_SECONDS = 30


class ProcessFailed(Exception):
    """A process failed or was too slow; the message contains the last lines of its log."""


class Interrupted(Exception):
    """The tour received SIGINT, SIGTERM or SIGHUP."""


class Process:
    """A running process. Its output and its log go to files, so that the process never blocks on a full pipe."""

    def __init__(
        self, *arguments: str, name: str, folder: Path, environment: Mapping[str, str], spoken_to: bool = False
    ) -> None:
        self.name = name
        self._output, self._log = folder / f"{name}.out", folder / f"{name}.log"
        with self._output.open("wb") as output, self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, *arguments],
                stdout=output,
                stderr=log,
                stdin=subprocess.PIPE if spoken_to else subprocess.DEVNULL,
                env=os.environ | environment,
                start_new_session=True,  # the tour alone gets Ctrl-C, then stops its processes in order
            )

    @property
    def exit_code(self) -> int | None:
        """The exit code; None while the process runs."""
        return self._process.poll()

    @property
    def output(self) -> str:
        return self._output.read_text()

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def lines(self) -> list[dict[str, Any]]:
        """Return the process's output up to now, which has one JSON object per line."""
        return [json.loads(line) for line in self.output.splitlines(keepends=True) if line.endswith("\n")]

    def tell(self, line: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()

    def failure(self, what: str) -> ProcessFailed:
        return ProcessFailed(f"{self.name}: {what}. {self.end_of_log()}")

    def end_of_log(self) -> str:
        return f"The log of {self.name} ends:\n{self.log[-2000:]}"

    def stop(self) -> None:
        """Ask the process to end, without waiting. Call :meth:`wait` afterwards."""
        if self._process.stdin:
            self._process.stdin.close()
        else:
            self._process.terminate()

    def wait(self) -> None:
        """Wait until the process has ended. Kill the process if it does not end in time."""
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextmanager
def stopped_by_signals() -> Iterator[threading.Event]:
    """Yield an event that SIGINT, SIGTERM and SIGHUP set."""
    stop, caught = threading.Event(), SimpleQueue[int]()
    # A handler that sets the event itself may interrupt a wait() that holds its lock: a deadlock.

    def wait() -> None:
        caught.get()
        stop.set()

    threading.Thread(target=wait, daemon=True).start()
    handled = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, lambda which, _: caught.put(which)) for number in handled}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
