"""
Follows the runbook. A terminal runs a section's commands in the situation of the section, and compares the output with
the page.
"""

from __future__ import annotations

import re
import shlex
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from tests.projects.process import ServiceProcess
from tests.runbook.page import Typed, blocks
from tests.services.bus import Bus
from tests.services.guarded import GuardedKafka
from tests.services.process import free_port
from tests.support.examples_of import certificate
from tests.support.outbox_service import until
from tests.support.scraping import page
from tests.support.sending import send

_RECEIVERS, _WAITS = "tests.projects.certificates.receivers", "wait_for_file"
RECEIVER = f"{_RECEIVERS}.{_WAITS}"
_OF_THE_PAGE = {"receiver": "mail.receivers.congratulate", "group": "mail", "prefix": "prod"}
_QUIET = {"version": 1, "disable_existing_loggers": False, "loggers": {"event_bus_kafka": {"level": "CRITICAL"}}}
_EVENT_ID = r"[0-9a-f]{8}-[0-9a-f-]{27}"
_TIME = r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00| UTC)"
_VARYING = (
    (_TIME, _TIME),
    (r"key-[0-9a-f]{10}", r"key-[0-9a-f]{10}"),
    (_EVENT_ID, _EVENT_ID),
    (r"worker-1:\d+", r"\S+:\d+"),
    (r"\b\d+\.\d+ s\b", r"\d+\.\d+ s"),
    (r"\b\d+\.\d+\.\d+\.\d+\b", r"[\w.:]+"),
    (r"\d+ bytes of value", r"\d+ bytes of value"),
    (r"\(\d+ silenced\)", r"\(\d+ silenced\)"),
    (r"\n…(?=\n|$)", r"(?:\n(?:.|\n)*?)?"),
    ("…", r"(?:.|\n)*?"),
)
"""
Pairs of patterns. The first pattern matches text on the page that varies from run to run. The second pattern matches
the text that may replace it.
"""


class Terminal:
    """
    Runs the commands of a section. The page names a prefix `prod`, a group `mail` and one of its receivers; tests use
    other names, and a terminal translates between them.
    """

    def __init__(self, bus: Bus, section: str, group: str, database: Path, guarded: Callable[[], GuardedKafka]) -> None:
        """``guarded`` is a function that returns a broker with access control."""
        self.bus = bus
        self.guarded = guarded
        self.group = group
        self.prefix = f"prefix-{group}"
        self.topic = f"{self.prefix}-certificates"
        self.port = free_port()
        self.gate = database.with_name("gate")
        """While this file does not exist, the receiver fails."""
        self.event_id = ""
        """Id of the event that was emitted last."""
        self.settings: dict[str, Any] = bus.settings(
            "certificates",
            EVENTS_SERVICE_NAME="mail",
            EVENT_BUS_TOPIC_PREFIX=self.prefix,
            EVENT_BUS_KAFKA_SUBSCRIPTIONS={group: ["certificates"]},
            EVENT_BUS_KAFKA_TOPICS={"*": {"replication": 1}},
            EVENT_BUS_KAFKA_RETRY={"attempts": 2, "first_delay": 0.05, "factor": 1},
            EVENT_BUS_PRODUCER_MODE="outbox",
            EVENT_BUS_PRODUCER="event_bus_kafka.create_producer",
            SILENCED_SYSTEM_CHECKS=["event_bus_kafka.W005"],  # the outbox is on SQLite
            DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(database)}},
        )
        self._section = section
        self._left = blocks(section)

    def follow(self) -> None:
        """Run the commands of the next block."""
        for typed in self._left.pop(0):
            self._run(typed)

    def end(self) -> None:
        """Raise AssertionError if a block was not run."""
        assert not self._left, f"{self._section}: {self._left}"

    def manage(self, command: str, **changes: Any) -> tuple[str, int]:
        """Run a management command; return its output and its exit code."""
        settings = self.settings | {"LOGGING": _QUIET} | changes
        environment = {"GATE": str(self.gate), "NO_COLOR": "1"}
        arguments = shlex.split(command)
        with ServiceProcess(
            *arguments, settings=settings, receivers="wait_for_file", environment=environment
        ) as process:
            code = process.end()
        return "\n".join(sorted(process.lines, key=lambda line: line.startswith("CommandError"))), code

    def send(self, *users: int) -> None:
        """Send certificates directly to Kafka, without the outbox."""
        send(self.bus, "certificates", *map(certificate, users), through={"EVENT_BUS_TOPIC_PREFIX": self.prefix})

    def emit(self, *users: int, name: str = "") -> None:
        """Emit certificates, which go to the outbox."""
        code = (
            "from openedx_events.learning.signals import CERTIFICATE_CREATED\n"
            "from tests.support.examples_of import certificate\n"
            "from tests.projects.certificates.apps import say\n"
            "def tell(metadata, **_): say('emitted', id=metadata.id)\n"
            "CERTIFICATE_CREATED.connect(tell)\n"
            f"for user in {users}:\n"
            f"    CERTIFICATE_CREATED.send_event(certificate=certificate(user, name={name!r}))\n"
        )
        with ServiceProcess(code=code, settings=self.settings) as process:
            assert process.end() == 0, process.log
        self.event_id = process.heard("emitted")[-1]["id"]

    def age(self, minutes: int) -> None:
        """Change the rows of the outbox as if they had already waited for ``minutes`` minutes."""
        with closing(sqlite3.connect(self.settings["DATABASES"]["default"]["NAME"])) as database:
            database.execute("UPDATE event_bus_kafka_outboxrecord SET created = created - ?", [minutes * 60_000])
            database.commit()

    def commit(self, offset: int, partitions: int = 1) -> None:
        """Commit ``offset`` for the group, as if the group had read all records before this offset."""
        consumer = Consumer({"bootstrap.servers": self.bus.bootstrap_servers, "group.id": self.group})
        places = [TopicPartition(self.topic, partition, offset) for partition in range(partitions)]
        try:
            consumer.commit(offsets=places, asynchronous=False)
        finally:
            consumer.close()

    @contextmanager
    def worker(self, receiver: str = _WAITS, /, **changes: Any) -> Iterator[ServiceProcess]:
        """Run a worker of the group, with its health port and a receiver of the project."""
        arguments = ("consume_events", "-t", "certificates", "-g", self.group, "--health-port", str(self.port))
        environment = {"GATE": str(self.gate)}
        settings = self.settings | changes | {"INSTALLED_APPS": _OURS_FIRST}
        with ServiceProcess(*arguments, settings=settings, receivers=receiver, environment=environment) as process:
            yield process

    def until_printed(self, command: str, text: str) -> None:
        """Repeat a command until its output contains ``text``."""
        until(lambda: text in self._shown(self.manage(command)[0]))

    def until_ready_says(self, text: str) -> None:
        """Request ``/ready`` of the worker until the answer contains ``text``."""
        until(lambda: text in self._shown(self._page("/ready")))

    def _page(self, path: str) -> str:
        try:
            return page(self.port, path)[1]
        except OSError:  # the port is not open yet
            return ""

    def _run(self, typed: Typed) -> None:
        command, _, filters = typed.command.partition(" | ")
        program, _, rest = command.partition(" ")
        pattern = re.compile(_pattern(typed.output))
        if program == "curl":  # repeated: a locked SQLite file may be an obstacle for a moment
            path = rest.rpartition("localhost:8080")[2]
            until(lambda: pattern.fullmatch(self._shown(_through(filters, self._page(path)))))
            return
        assert program == "manage.py", typed.command
        if rest.startswith("event_bus_status"):  # workers and relays write heartbeats at intervals
            until(lambda: pattern.fullmatch(self._shown(self.manage(self._meant(rest))[0])))
            return
        found = self._shown(_through(filters, self.manage(self._meant(rest))[0]))
        assert pattern.fullmatch(found), f"{typed.command}\nprints\n{found}"

    def _meant(self, command: str) -> str:
        """Return a command of the page, with the names of this test in place of the page's names."""
        command = re.sub(_EVENT_ID, self.event_id, command)
        command = command.replace(_OF_THE_PAGE["receiver"], RECEIVER).replace("prod-", f"{self.prefix}-")
        return re.sub(r"(-g |--group )mail\b", rf"\1{self.group}", command)

    def _shown(self, output: str) -> str:
        """Return an output, with the page's names in place of the names of this test, and with single spaces."""
        output = re.sub(r"\S+/receivers\.py:\d+ in wait_for_file", "/srv/mail/receivers.py:39 in congratulate", output)
        output = output.replace(f"{_RECEIVERS}.hang", RECEIVER)
        for ours, theirs in ((RECEIVER, "receiver"), (self.prefix, "prefix"), (self.group, "group")):
            output = output.replace(ours, _OF_THE_PAGE[theirs])
        return _spaced(output)


_OURS_FIRST = ["tests.projects.certificates", "event_bus_kafka", "openedx_events"]


def _through(filters: str, text: str) -> str:
    """
    Pass ``text`` through the pipeline of shell commands in ``filters``; return the result. If ``filters`` is empty,
    return ``text``.
    """
    if not filters:
        return text
    return subprocess.run(["sh", "-c", filters], input=text, check=False, capture_output=True, text=True).stdout


def _spaced(text: str) -> str:
    return "\n".join(" ".join(line.split()) for line in text.splitlines()).strip()


def _pattern(output: str) -> str:
    """Return a pattern for the output that the page documents."""
    pieces, at = [], 0
    text = _spaced(output)
    varying = re.compile("|".join(f"({of_page})" for of_page, _ in _VARYING))
    for found in varying.finditer(text):
        number = next(index for index, group in enumerate(found.groups()) if group is not None)
        pieces += [re.escape(text[at : found.start()]), _VARYING[number][1]]
        at = found.end()
    return "".join([*pieces, re.escape(text[at:])])
