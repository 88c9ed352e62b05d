"""Reads the logs of workers, to find the events that the workers have received."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from examples.tour.processes import Process

_RECEIVED = re.compile(r"Message received from Kafka: topic=(\S+), .* message_ids?=(\S+), event_type=(\S+)")


class News:
    """Prints the events that workers have received since the last call of :meth:`print`."""

    def __init__(self, workers: Mapping[str, Process]) -> None:
        self._workers = workers
        self._seen = {service: len(worker.log) for service, worker in workers.items()}

    def print(self) -> None:
        for service, worker in self._workers.items():
            for topic, event_type in self._new(service, worker):
                print(f"  {service:<19} {event_type}  on {topic}", flush=True)

    def _new(self, service: str, worker: Process) -> Iterator[tuple[str, str]]:
        new = worker.log[self._seen[service] :]
        whole = new[: new.rfind("\n") + 1]  # the last line may still be incomplete
        self._seen[service] += len(whole)
        for found in _RECEIVED.finditer(whole):
            topic, ids, event_type = found.groups()
            for _ in ids.split(","):
                yield topic, event_type
