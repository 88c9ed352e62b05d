"""Starts the event bus and the services, each as processes of its own, and stops them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any

_STOP_SECONDS = 30


class ProcessFailed(Exception):
    """A process did not do what it should; the message holds the end of its log."""


class Process:
    """A running process; its errors and logs go to a file."""

    def __init__(self, *arguments: str, log: Path, environment: dict[str, str]) -> None:
        self.log = log
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, *arguments],
                stdout=subprocess.PIPE,
                stderr=errors,
                stdin=subprocess.DEVNULL,
                text=True,
                env=os.environ | environment,
                start_new_session=True,  # Ctrl-C is for the tour, which then stops its processes one by one
            )

    def lines(self) -> Iterator[dict[str, Any]]:
        """Return what it prints, a JSON object per line."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            yield json.loads(line)

    def wait_until_logged(self, text: str) -> None:
        """Wait for a line in its log. Raises :class:`ProcessFailed` if it ends or takes a minute."""
        deadline = time.monotonic() + 60
        while text not in self.log.read_text():
            if self.has_ended or time.monotonic() > deadline:
                raise ProcessFailed(f"not ready; {self.log}:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.05)

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def end(self) -> None:
        """Wait until it ends by itself. Raises :class:`ProcessFailed` unless its exit code is 0."""
        code = self._process.wait()
        if code:
            raise ProcessFailed(f"exit code {code}; {self.log}:\n{self.log.read_text()[-2000:]}")

    def stop(self) -> None:
        """Ask it to end, and wait."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


class Stage:
    """An event bus and the services on it. All they write goes into one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._environment = {"EXAMPLES_DATA": str(folder), "PYTHONUNBUFFERED": "1"}
        self._running = ExitStack()

    def start_bus(self, *, real: bool, topics: list[str]) -> dict[str, str]:
        """Start the sandbox, or a real Kafka and registry, with topics (full names); return their addresses."""
        module = "tests.services" if real else "event_bus_kafka.sandbox"
        bus = self._start("-m", module, "--json", *(f"--topic={topic}" for topic in topics), name="bus")
        try:
            addresses = next(bus.lines())
        except (StopIteration, ValueError):
            raise ProcessFailed(f"the event bus did not start; {bus.log}:\n{bus.log.read_text()[-2000:]}") from None
        self._environment["KAFKA_BOOTSTRAP_SERVERS"] = addresses["bootstrap_servers"]
        self._environment["SCHEMA_REGISTRY_URL"] = addresses["schema_registry_url"]
        return addresses

    def manage(self, service: str, *arguments: str) -> Process:
        """Start a management command of a service."""
        environment = {"DJANGO_SETTINGS_MODULE": f"examples.{service}.settings"}
        return self._start("-m", "django", *arguments, name=service, environment=environment)

    def close(self) -> None:
        """Stop everything, the bus last."""
        self._running.close()

    def _start(self, *arguments: str, name: str, environment: dict[str, str] | None = None) -> Process:
        log = self._folder / f"{name}.log"
        process = Process(*arguments, log=log, environment=self._environment | (environment or {}))
        self._running.callback(process.stop)
        return process


@contextmanager
def stopped_by_signals() -> Iterator[threading.Event]:
    """Give an event that SIGINT and SIGTERM set."""
    stop, caught = threading.Event(), SimpleQueue[int]()
    # A handler that sets the event itself may interrupt a wait() that holds its lock: a deadlock.

    def wait() -> None:
        caught.get()
        stop.set()

    threading.Thread(target=wait, daemon=True).start()
    handled = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda which, _: caught.put(which)) for number in handled}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
