"""
Helpers for tests of replay requests. They store dead letters, run workers that replay dead letters, and read the output
of these workers.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from time import monotonic, sleep
from typing import Any

import attrs
from django.db import connections
from django.test import override_settings
from openedx_events.data import EventsMetadata
from openedx_events.learning.signals import CERTIFICATE_CREATED

from event_bus_kafka.assembly.schema_registry import registry as registry_of_settings
from event_bus_kafka.models import DeadLetter, ReplayRequest, RequestedLetter, to_json
from event_bus_kafka.wire import serde
from event_bus_kafka.wire.records import Event
from tests.projects.process import PATIENCE, ServiceProcess
from tests.services.bus import CREATED, Bus
from tests.support.databases import Database
from tests.support.dead_letter_command import dead_letters
from tests.support.examples_of import certificate
from tests.support.letters import run
from tests.support.workers import worker

PLACE = "tests.projects.certificates.replaying"
LETTERS_BEGIN = 1_000_000
"""The offset of the first dead letter. This offset is much higher than the offsets of live events."""


def named(*receivers: str) -> list[str]:
    return [f"{PLACE}.{name}" for name in receivers]


def store_letters(bus: Bus, topic: str, group: str, users: Iterable[int], each: int, *receivers: str) -> int:
    """
    Store dead letters for which receivers failed; return their number. Each user has ``each`` letters, and the grade of
    a letter's certificate is its number.
    """
    with override_settings(**bus.settings(topic)), closing(registry_of_settings()) as registry:
        rows: list[DeadLetter] = []
        now = datetime.now(UTC)  # workers delete old letters
        for number in range(each):
            for user in users:
                data = {"certificate": certificate(user, grade=str(number))}
                metadata = EventsMetadata(event_type=CREATED)
                event = Event(signal=CERTIFICATE_CREATED, data=data, metadata=metadata)
                framed = serde.frame(serde.encode(event, topic=topic, key_field="certificate.user.id"), registry)
                rows.append(
                    DeadLetter(
                        group=group,
                        topic=topic,
                        partition=0,
                        offset=LETTERS_BEGIN + len(rows),
                        timestamp=1_767_323_045_678,
                        key=framed.key,
                        value=framed.value,
                        headers=to_json(tuple(dict(framed.headers).items())),
                        event_type=CREATED,
                        event_id=str(metadata.id),
                        failures=[{"receiver": name, "error": "ValueError", "place": ""} for name in receivers],
                        attempts=5,
                        first_failed_at=now,
                        last_failed_at=now,
                    )
                )
    DeadLetter.objects.bulk_create(rows, batch_size=500)
    return len(rows)


@attrs.frozen(kw_only=True)
class Requesting:
    """A service with replay requests. The test accesses its database as ``default``."""

    bus: Bus
    database: Database
    topic: str
    group: str
    receivers: str
    settings: dict[str, Any] = attrs.field(factory=dict)

    def worker(self, **changes: Any) -> ServiceProcess:
        return worker(
            self.bus, self.topic, self.group, self.receivers, **(self.database.settings(**self.settings) | changes)
        )

    def request(self, *arguments: str) -> int:
        """Request the replay of the group's dead letters; return the number of the request."""
        settings = self.database.settings(**self.settings)
        command = ("replay", "-g", self.group, "--request", "--apply", *arguments)
        dead_letters(self.bus, settings, *command, receivers=self.receivers)
        return int(ReplayRequest.objects.latest("pk").pk)


def report(number: int) -> dict[str, Any]:
    """Return the JSON output of ``event_dead_letters requests`` about one request."""
    found: dict[str, Any] = json.loads(run("requests", number, "--json"))
    return found


def state_of(number: int) -> str:
    return str(ReplayRequest.objects.get(pk=number).state)


def counts(number: int) -> dict[str, int]:
    return dict(RequestedLetter.objects.counts([number])[number])


def eventually(condition: Callable[[], Any], why: Callable[[], str] = str, seconds: float = PATIENCE) -> None:
    """
    Wait until ``condition`` holds. If ``seconds`` pass first, raise AssertionError with the text that ``why`` returns.
    """
    deadline = monotonic() + seconds
    while not condition():
        assert monotonic() < deadline, why()
        sleep(0.05)


def is_in_state(number: int, state: str, *processes: ServiceProcess, seconds: float = PATIENCE) -> None:
    eventually(
        lambda: state_of(number) == state,
        lambda: f"{state_of(number)} {counts(number)}\n" + "\n".join(one.log for one in processes),
        seconds,
    )


def silence(number: int) -> None:
    """Change a request as if its worker had not written a heartbeat for a long time."""
    ReplayRequest.objects.filter(pk=number).update(beat_at=1)


def heard(what: str, receiver: str, *processes: ServiceProcess) -> list[tuple[int, int]]:
    """
    Find the lines with the name ``what`` that the processes have printed for ``receiver``. Return user and number of
    each line, sorted by time.
    """
    lines = [line for process in processes for line in process.heard(what) if line["receiver"] == receiver]
    return [(line["user"], int(line["grade"])) for line in sorted(lines, key=lambda line: line["at"])]


def first_to_begin(users: Iterable[int], workers: Iterable[ServiceProcess]) -> ServiceProcess:
    """Wait until one of the workers has started to replay a letter of one of these users; return this worker."""
    wanted, workers = set(users), list(workers)

    def begun() -> list[ServiceProcess]:
        return [one for one in workers if any(line["user"] in wanted for line in one.heard("begins"))]

    eventually(begun, lambda: "\n".join(one.log for one in workers))
    return begun()[0]


def twice(lines: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return [one for one, count in Counter(lines).items() if count > 1]


def in_order(lines: list[tuple[int, int]]) -> bool:
    """Return whether the numbers of each user are in order. A number may occur several times."""
    last: dict[int, int] = {}
    for user, number in lines:
        if number < last.get(user, -1):
            return False
        last[user] = number
    return True


@contextmanager
def connected(database: Database) -> Iterator[None]:
    with database.connected("default"):
        yield
        connections["default"].close()
