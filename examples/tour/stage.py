"""The event bus and the services, which run in separate processes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType

from examples.tour.processes import Interrupted, Process
from examples.tour.services import COMPACTED, settings_of

_START_SECONDS = 120
_START_SECONDS_OF_THE_BUS = 600
"""Seconds within which the bus must start. The number is large, since a real Kafka may have to be downloaded first."""
_STARTING_AT_ONCE = 4


class Stage:
    """
    All processes of the tour. Their logs go into one folder. When the ``with`` block of the stage ends, the processes
    are stopped.

    By default, each service has its own settings module. If ``settings`` names a module, all services use this module,
    which reads the service's name from EXAMPLES_SERVICE. Each wait raises :class:`Interrupted` when ``stop`` is set,
    and :class:`ProcessFailed` when the bus or a service ends.
    """

    def __init__(
        self, folder: Path, environment: Mapping[str, str], stop: threading.Event, *, real: bool, settings: str = ""
    ) -> None:
        self.environment = dict(environment)
        self.real = real
        self.workers: dict[str, Process] = {}
        self._fronts: dict[str, Process] = {}
        self._sites: list[Process] = []
        self._settings = settings
        self._folder = folder
        self._stop = stop
        self._bus: list[Process] = []
        self._commands: list[Process] = []

    def start_bus(self, topics: Sequence[str]) -> None:
        """Start the sandbox, or a real Kafka and schema registry, with these topics (full names)."""
        module = "tests.services" if self.real else "event_bus_kafka.sandbox"  # the sandbox compacts no topic
        options = [f"--{'compacted-' * (self.real and one in COMPACTED)}topic={one}" for one in topics]
        self._bus.append(self._start("-m", module, "--json", *options, name="bus"))

    def wait_for_bus(self) -> None:
        (bus,) = self._bus
        self._wait_until(lambda: bool(bus.lines()), bus, _START_SECONDS_OF_THE_BUS)
        addresses = bus.lines()[0]
        self.environment["KAFKA_BOOTSTRAP_SERVERS"] = addresses["bootstrap_servers"]
        self.environment["SCHEMA_REGISTRY_URL"] = addresses["schema_registry_url"]

    def start_services(self, services: Sequence[str]) -> None:
        """
        Start a worker for each service, and a substitute for the web processes of each service that has an ``api``.
        Only a few processes start at the same time.
        """
        starts = [(self._start_front, service) for service in services if find_spec(f"examples.{service}.api")]
        starts += [(self._start_worker, service) for service in services]
        starting: list[tuple[Process, Callable[[], bool]]] = []
        for start, service in starts:
            starting.append(start(service))
            if len(starting) == _STARTING_AT_ONCE:
                self._wait_for_one(starting)
        while starting:
            self._wait_for_one(starting)

    def start_sender(self, service: str) -> None:
        """For a service that only sends, start a relay, and a substitute for the web processes."""
        front, ready = self._start_front(service)
        self._wait_until(ready, front, _START_SECONDS)
        self.workers[service] = self._manage(service, "relay_events", name=f"{service}-relay")

    def start_worker(self, service: str, *options: str) -> None:
        """Start a service's worker and wait until it consumes."""
        worker, ready = self._start_worker(service, *options)
        self._wait_until(ready, worker, _START_SECONDS)

    def start_site(self, service: str) -> str:
        """Serve the admin site of a service; return its URL."""
        site = self._start("-m", "examples.tour.desk.site", name=f"{service}-site", service=service)
        self._sites.append(site)
        self._wait_until(lambda: bool(site.lines()), site, _START_SECONDS)
        return str(site.lines()[0]["url"])

    def call(self, service: str, call: str) -> None:
        """Call a function in the service's web process. Raises :class:`ProcessFailed` if the function raises."""
        front = self._fronts[service]
        answers = len(front.lines())
        front.tell(call)
        self._wait_until(lambda: len(front.lines()) > answers, front, _START_SECONDS, every=0.005)
        if error := front.lines()[-1]["error"]:
            raise front.failure(f"{call} raised {error}")

    def manage(self, service: str, *arguments: str) -> str:
        """
        Run a management command of a service; return the output. Raises :class:`ProcessFailed` if the command fails.
        """
        command = self._manage(service, *arguments, name=f"{service}-{arguments[0]}")
        self._commands.append(command)
        while command.exit_code is None:
            self.pause(0.02)
        if command.exit_code:
            raise command.failure(f"exit code {command.exit_code}")
        return command.output

    def pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise Interrupted
        for process in [*self._bus, *self.workers.values(), *self._fronts.values(), *self._sites]:
            if process.exit_code is not None:
                raise process.failure(f"ended with exit code {process.exit_code}")

    def __enter__(self) -> Stage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        services = [*self._commands, *self._sites, *self._fronts.values(), *self.workers.values()]
        for together in (services, self._bus):  # services still send and commit to the bus while they stop
            for process in together:
                process.stop()
            for process in together:
                process.wait()

    def _start_front(self, service: str) -> tuple[Process, Callable[[], bool]]:
        front = self._start("-m", "examples.tour.front", service, name=f"{service}-front", spoken_to=True)
        self._fronts[service] = front
        return front, lambda: bool(front.lines())

    def _start_worker(self, service: str, *options: str) -> tuple[Process, Callable[[], bool]]:
        # Topics and group are in the service's settings. If the service writes to an outbox, its worker also relays it.
        outbox = getattr(settings_of(service), "EVENT_BUS_PRODUCER_MODE", "") == "outbox"
        relay = ["--with-relay"] if outbox else []
        worker = self._manage(service, "consume_events", *relay, *options, name=f"{service}-worker")
        self.workers[service] = worker
        return worker, lambda: "partitions assigned: " in worker.log

    def _wait_for_one(self, starting: list[tuple[Process, Callable[[], bool]]]) -> None:
        """Wait until a process of ``starting`` is ready, then remove it from the list."""
        self._wait_until(lambda: any(ready() for _, ready in starting), starting[0][0], _START_SECONDS)
        starting.remove(next(pair for pair in starting if pair[1]()))

    def _wait_until(self, ready: Callable[[], bool], process: Process, seconds: float, every: float = 0.05) -> None:
        deadline = time.monotonic() + seconds
        while not ready():
            if time.monotonic() > deadline:
                raise process.failure(f"not ready after {seconds} seconds")
            self.pause(every)

    def _manage(self, service: str, *arguments: str, name: str) -> Process:
        settings = self._settings or f"examples.{service}.settings"
        return self._start("-m", "django", *arguments, f"--settings={settings}", name=name, service=service)

    def _start(self, *arguments: str, name: str, service: str = "", spoken_to: bool = False) -> Process:
        environment = self.environment | {"EXAMPLES_SERVICE": service}
        return Process(*arguments, name=name, folder=self._folder, environment=environment, spoken_to=spoken_to)
