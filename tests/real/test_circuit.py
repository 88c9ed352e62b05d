"""
If a receiver fails for every event, its circuit opens and its events are held. If too many records in a row become dead
letters, further records are held. In both cases the worker logs why it is not ready. The held records are processed
after the repair, or with a higher limit.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pytest_django import DjangoDbBlocker

from tests.projects.process import ServiceProcess
from tests.services.bus import RealBus
from tests.support.dead_letters import InTable, OnTopic
from tests.support.examples_of import certificate
from tests.support.received import HEADERS
from tests.support.sending import send
from tests.support.workers import worker

pytestmark = pytest.mark.real

BROKEN = "tests.projects.certificates.trouble.fail_until_mended"
RECEIVERS = "trouble.fail_until_mended,note"
USERS = range(12)
OPEN = f"Not ready: circuit open: {BROKEN}"
FAILURES, PROBE_EVERY = 10, 0.3
PROBING: dict[str, Any] = {"EVENT_BUS_KAFKA_RETRY": {}, "EVENT_BUS_KAFKA_CIRCUIT": {"probe_every": PROBE_EVERY}}
"""The default settings of policies, except that the worker probes more often."""


def grades_by_user(lines: Iterable[dict[str, Any]]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for line in lines:
        found.setdefault(line["user"], []).append(line["grade"])
    return found


@pytest.mark.parametrize("lanes", [1, 4])
def test_case_18_events_of_a_failing_receiver_are_held_until_the_circuits_probe_succeeds(
    bus: RealBus, topic: str, group: str, tmp_path: Path, lanes: int
) -> None:
    kept, gate = OnTopic(bus, group).create(), tmp_path / "mended"
    send(bus, topic, *(certificate(user, grade=grade) for grade in "ab" for user in USERS))
    settings = PROBING | kept.settings
    with worker(bus, topic, group, RECEIVERS, {"GATE": str(gate)}, lanes=lanes, **settings) as process:
        process.wait_for_log(OPEN)
        opened_by = FAILURES + lanes - 1  # several lanes were running the receiver when the circuit opened
        process.wait_for(lambda: len(process.heard("tried")) >= opened_by + 4, "for probes")
        probes = sorted(line["at"] for line in process.heard("tried"))[opened_by:]
        assert all(later - earlier >= PROBE_EVERY for earlier, later in pairwise(probes)), "one probe at a time"
        process.wait_for(lambda: len(process.heard("note")) == len(USERS), "for the other receiver")
        assert grades_by_user(process.heard("note")) == {user: ["a"] for user in USERS}
        gate.touch()
        process.wait_for(lambda: len(process.heard("took")) == 2 * len(USERS), "for the held events")
        process.wait_for(lambda: bus.committed(group, topic) == 2 * len(USERS), "for the last commit")
        assert process.stop() == 0
    assert grades_by_user(process.heard("took")) == grades_by_user(process.heard("note"))
    assert grades_by_user(process.heard("took")) == {user: ["a", "b"] for user in USERS}
    assert kept.read(0) == []
    log = process.log
    assert log.count(f"Circuit of receiver {BROKEN} is open") == log.count(f"receiver {BROKEN} is closed") == 1
    assert log.index("INFO event_bus_kafka Ready") < log.index(OPEN) < log.rindex("INFO event_bus_kafka Ready")


def test_case_18_pausing_a_failing_receiver_lets_the_other_receivers_continue(
    bus: RealBus, topic: str, group: str, tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    """An operator pauses the receiver."""
    entry = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "database"), "OPTIONS": {"timeout": 30}}
    kept, gate = InTable(entry, django_db_blocker).migrate(), tmp_path / "mended"
    send(bus, topic, *map(certificate, USERS))
    settings = PROBING | kept.settings

    def command(*arguments: str) -> None:
        service = bus.settings(**settings)
        with ServiceProcess(*arguments, settings=service, receivers=RECEIVERS, environment={"GATE": str(gate)}) as one:
            assert one.end() == 0, one.log

    with worker(bus, topic, group, RECEIVERS, {"GATE": str(gate)}, **settings) as process:
        process.wait_for_log(OPEN)
        command("event_bus_pause", "--receiver", BROKEN, "--apply")
        process.wait_for(lambda: bus.committed(group, topic) == len(USERS), "for all to be given up")
        assert sorted(process.users("note")) == list(USERS)
        gate.touch()
        command("event_bus_resume", "--receiver", BROKEN, "--apply")
        process.wait_for_log("Paused receivers: none")
        send(bus, topic, certificate(99))
        process.wait_for_users("took", [99])
        assert process.stop() == 0
    letters = kept.read(len(USERS))
    assert {failure.receiver for letter in letters for failure in letter.failures} == {BROKEN}
    assert len(letters) == len(USERS)
    assert process.log.rindex("Not ready") < process.log.rindex("INFO event_bus_kafka Ready")
    command("event_dead_letters", "replay", "--all", "--apply")
    assert kept.read(0) == []


def test_case_18b_a_flood_of_unreadable_records_is_held_until_the_limit_is_raised(
    bus: RealBus, topic: str, group: str
) -> None:
    kept = OnTopic(bus, group).create()
    headers = {name: value for name, value in HEADERS if value is not None}
    for number in range(12):
        bus.produce(topic, key=b"%d" % number, value=b"no frame", headers=headers)
    send(bus, topic, certificate(1))
    limited = kept.settings | {"EVENT_BUS_KAFKA_DEAD_LETTER_FLOOD": 5}
    with worker(bus, topic, group, "trouble.fail_for_some,note", {"FAILING": "1"}, **limited) as process:
        process.wait_for_log(f"Not ready: flood of dead letters: {topic}[0]")
        process.wait_for(lambda: process.heard("note"), "for the event that is not part of the flood")
        process.wait_for(lambda: bus.committed(group, topic) == 5, "for the commit of the stored dead letters")
        assert process.stop() == 0
    assert [letter.record.offset for letter in kept.read(5)] == list(range(5))
    assert process.log.count("5 dead letters in a row") == 1
    with worker(bus, topic, group, "note", **kept.settings | {"EVENT_BUS_KAFKA_DEAD_LETTER_FLOOD": 7}) as process:
        process.wait_for_users("note", [1])
        process.wait_for(lambda: bus.committed(group, topic) == 13, "for the rest")
        assert process.stop() == 0
    assert [letter.record.offset for letter in kept.read(12)] == list(range(12))
