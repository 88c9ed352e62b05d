"""Processes that the tour starts, and the signals that stop it."""

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
    """A process did not do what it should; the message ends with the end of its log."""


class Interrupted(Exception):
    """A signal came: SIGINT, SIGTERM or SIGHUP."""


class Process:
    """A running process. Its output and its log go to files, so that it never waits for a reader."""

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
                start_new_session=True,  # Ctrl-C is for the tour, which then stops its processes in order
            )

    @property
    def exit_code(self) -> int | None:
        """None: it runs."""
        return self._process.poll()

    @property
    def output(self) -> str:
        return self._output.read_text()

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def lines(self) -> list[dict[str, Any]]:
        """Return what it has printed so far, a JSON object per line."""
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
        """Let it end; :meth:`wait` waits for that."""
        if self._process.stdin:
            self._process.stdin.close()
        else:
            self._process.terminate()

    def wait(self) -> None:
        """Wait for its end, and kill it if that takes too long."""
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextmanager
def stopped_by_signals() -> Iterator[threading.Event]:
    """Give an event that SIGINT, SIGTERM and SIGHUP set."""
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
