"""An event whose receiver always fails becomes one dead letter, and does not stop the processing of other events."""

from __future__ import annotations

import pytest

from tests.services.bus import Bus
from tests.support.dead_letters import Kept, OnTopic
from tests.support.examples_of import certificate
from tests.support.sending import send
from tests.support.workers import worker

TWICE = {"EVENT_BUS_KAFKA_RETRY": {"attempts": 2, "first_delay": 0.05, "factor": 1}}
SOME = "tests.projects.certificates.trouble.fail_for_some"


def test_case_12_only_events_of_a_failing_key_become_dead_letters(bus: Bus, topic: str, group: str, kept: Kept) -> None:
    send(bus, topic, *map(certificate, (1, 2, 1, 4, 1, 6)))
    with worker(bus, topic, group, "trouble.fail_for_some,note", {"FAILING": "1"}, **TWICE | kept.settings) as process:
        process.wait_for(lambda: process.log.count("stored as a dead letter") == 3)
        assert process.stop() == 0
    users = process.users("some")
    assert [user for user in users if user != 1] == [2, 4, 6]
    assert users.count(1) == 6
    letters = kept.read(3)
    assert [letter.record.offset for letter in letters] == [0, 2, 4]
    assert [[failure.receiver for failure in letter.failures] for letter in letters] == [[SOME]] * 3
    assert {letter.attempts for letter in letters} == {2}
    assert bus.committed(group, topic) == 6


@pytest.mark.parametrize("failing", [1, 2, 3], ids=["first event fails", "middle event fails", "last event fails"])
def test_case_15_a_partition_with_a_dead_letter_is_committed_to_its_end(
    bus: Bus, topic: str, group: str, failing: int
) -> None:
    kept = OnTopic(bus, group).create()
    send(bus, topic, *map(certificate, (1, 2, 3)))
    environment = {"FAILING": str(failing)}
    with worker(bus, topic, group, "trouble.fail_for_some", environment, **TWICE | kept.settings) as process:
        process.wait_for_log("stored as a dead letter")
        process.wait_for(lambda: len(process.users("some")) == 4)
        assert process.stop() == 0
    assert [letter.record.offset for letter in kept.read(1)] == [failing - 1]
    assert bus.committed(group, topic) == 3
    send(bus, topic, certificate(4))
    with worker(bus, topic, group, "note", **kept.settings) as process:
        process.wait_for_users("note", [4])


@pytest.mark.parametrize("debug", [False, True], ids=["production", "DEBUG"])
def test_case_17_a_letter_names_the_failing_receiver_and_other_receivers_run_once(
    bus: Bus, topic: str, group: str, debug: bool
) -> None:
    kept = OnTopic(bus, group).create()
    send(bus, topic, *map(certificate, (1, 2)))
    receivers = "trouble.describe,trouble.fail_for_some,note"
    settings = TWICE | kept.settings | {"DEBUG": debug}
    with worker(bus, topic, group, receivers, {"FAILING": "1"}, **settings) as process:
        process.wait_for_log("stored as a dead letter")
        assert process.stop() == 0
    assert sorted(process.users("describe")) == sorted(process.users("note")) == [1, 2]
    assert sorted(process.users("some")) == [1, 1, 2]
    (letter,) = kept.read(1)
    assert [(failure.receiver, failure.error) for failure in letter.failures] == [(SOME, "ValueError")]
    assert "learner@example.com" not in process.log + repr(letter.failures)
