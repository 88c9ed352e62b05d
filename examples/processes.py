"""Starts the event bus and the services, each as a process of its own, and stops them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Any

_STOP_SECONDS = 30
_START_SECONDS = 60
_START_SECONDS_OF_THE_BUS = 600
"""A real one may have to be downloaded."""


class ProcessFailed(Exception):
    """A process did not do what it should; the message ends with the end of its log."""


class Interrupted(Exception):
    """A signal came: SIGINT, SIGTERM or SIGHUP."""


class Process:
    """A running process. Its output and its log go to files, so that it never waits for a reader."""

    def __init__(self, *arguments: str, name: str, folder: Path, environment: dict[str, str]) -> None:
        self._name = name
        self._output, self._log = folder / f"{name}.out", folder / f"{name}.log"
        with self._output.open("wb") as output, self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, *arguments],
                stdout=output,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=os.environ | environment,
                start_new_session=True,  # Ctrl-C is for the tour, which then stops its processes in order
            )

    @property
    def exit_code(self) -> int | None:
        """None: it runs."""
        return self._process.poll()

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def lines(self) -> list[dict[str, Any]]:
        """Return what it has printed so far, a JSON object per line."""
        return [json.loads(line) for line in self._output.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def failure(self, what: str) -> ProcessFailed:
        return ProcessFailed(f"{self._name}: {what}. {self.end_of_log()}")

    def end_of_log(self) -> str:
        return f"The log of {self._name} ends:\n{self.log[-2000:]}"

    def terminate(self) -> None:
        self._process.terminate()

    def wait(self) -> None:
        """Wait for its end, and kill it if that takes too long."""
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Stage:
    """
    An event bus and the services on it. All they write goes into one folder; leaving the stage stops them all.

    Each wait raises :class:`Interrupted` when ``stop`` is set, :class:`ProcessFailed` when the bus or a worker ends.
    """

    def __init__(self, folder: Path, stop: threading.Event) -> None:
        self.environment = {"EXAMPLES_DATA": str(folder)}
        self._folder = folder
        self._stop = stop
        self._bus: list[Process] = []
        self._workers: list[Process] = []
        self._commands: list[Process] = []

    def start_bus(self, *, real: bool, topics: list[str]) -> None:
        """Start the sandbox, or a real Kafka and registry, with topics (full names)."""
        module = "tests.services" if real else "event_bus_kafka.sandbox"
        bus = self._start("-m", module, "--json", *(f"--topic={topic}" for topic in topics), name="bus")
        self._bus.append(bus)
        self._wait_until(lambda: bool(bus.lines()), bus, _START_SECONDS_OF_THE_BUS)
        addresses = bus.lines()[0]
        self.environment["KAFKA_BOOTSTRAP_SERVERS"] = addresses["bootstrap_servers"]
        self.environment["SCHEMA_REGISTRY_URL"] = addresses["schema_registry_url"]

    def start(self, service: str, command: str, *options: str) -> Process:
        """Start a management command of a service; :meth:`finish` waits for its end."""
        self._commands.append(self._manage(service, command, *options, name=f"{service}-{command}"))
        return self._commands[-1]

    def finish(self, process: Process) -> None:
        """Wait until a command ends. Raises :class:`ProcessFailed` unless its exit code is 0."""
        while process.exit_code is None:
            self.pause(0.02)
        if process.exit_code:
            raise process.failure(f"exit code {process.exit_code}")

    def start_worker(self, service: str, topic: str) -> Process:
        """Start a worker of a service; :meth:`wait_until_logged` tells when it is ready."""
        options = ["-t", topic, "-g", service]
        self._workers.append(self._manage(service, "consume_events", *options, name=f"{service}-{topic}"))
        return self._workers[-1]

    def wait_until_logged(self, text: str, process: Process) -> None:
        self._wait_until(lambda: text in process.log, process, _START_SECONDS)

    def pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise Interrupted
        for process in self._bus + self._workers:
            if process.exit_code is not None:
                raise process.failure(f"ended with exit code {process.exit_code}")

    def __enter__(self) -> Stage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for together in (self._commands + self._workers, self._bus):  # workers commit to the bus as they stop
            for process in together:
                process.terminate()
            for process in together:
                process.wait()

    def _wait_until(self, ready: Callable[[], bool], process: Process, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not ready():
            if time.monotonic() > deadline:
                raise process.failure(f"not ready after {seconds} seconds")
            self.pause(0.05)

    def _manage(self, service: str, *arguments: str, name: str) -> Process:
        return self._start("-m", "django", *arguments, f"--settings=examples.{service}.settings", name=name)

    def _start(self, *arguments: str, name: str) -> Process:
        return Process(*arguments, name=name, folder=self._folder, environment=self.environment)


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
