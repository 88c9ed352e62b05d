"""
Real workers store dead letters, and delete old dead letters. The commands of operators replay and import dead letters.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pytest

from tests.projects.process import ServiceProcess
from tests.services.bus import Bus
from tests.support.dead_letter_command import dead_letters, listed
from tests.support.dead_letter_command import table as table
from tests.support.examples_of import certificate
from tests.support.sending import send
from tests.support.workers import worker

FAIL_FOR_ODD = "tests.projects.certificates.receivers.fail_for_odd"


def test_a_replay_runs_only_the_receiver_that_failed(bus: Bus, topic: str, group: str, table: dict[str, Any]) -> None:
    send(bus, topic, *map(certificate, (1, 2)))
    with worker(bus, topic, group, "fail_for_odd,note", **table) as process:
        process.wait_for_users("note", [1, 2])
        process.wait_for_log("stored as a dead letter")
        assert process.stop() == 0
    assert bus.committed(group, topic) == 2
    (letter,) = listed(bus, table)
    assert (letter["topic"], letter["offset"], letter["attempts"]) == (topic, 0, 2)
    assert [failure["receiver"] for failure in letter["failures"]] == [FAIL_FOR_ODD]
    ran = dead_letters(bus, table, "replay", "--all", "--apply", receivers="fail_for_odd,note", exit_code=1)
    assert ran.users("fail_for_odd") == [1]
    assert ran.users("note") == []
    assert listed(bus, table)[0]["attempts"] == 3
    assert "learner@example.com" not in process.log + ran.log


def test_a_replay_reports_a_receiver_that_left_a_transaction_open(
    bus: Bus, topic: str, group: str, table: dict[str, Any]
) -> None:
    send(bus, topic, certificate(1))
    with worker(bus, topic, group, "leave_transaction_open", **table) as process:
        process.wait_for_log("stored as a dead letter")
        assert process.stop() == 0
    code = """
from django.core.management import call_command
from django.db import connection
connection.ensure_connection()
call_command("event_dead_letters", "replay", "--all", "--apply")
"""
    with ServiceProcess(code=code, settings=bus.settings(**table), receivers="leave_transaction_open") as process:
        assert process.end() == 1
    (letter,) = listed(bus, table)
    assert letter["attempts"] == 3
    assert letter["failures"][0]["error"].startswith("TransactionLeftOpen")


def test_dead_letters_of_a_topic_are_imported_only_once(
    bus: Bus, topic: str, group: str, table: dict[str, Any]
) -> None:
    bus.create_topic(f"{group}.dead-letters")
    send(bus, topic, *map(certificate, (1, 2, 3)))
    on_topic = table | {"EVENT_BUS_KAFKA_DEAD_LETTERS": "topic"}
    with worker(bus, topic, group, "fail_for_odd", **on_topic) as process:
        process.wait_for(lambda: process.log.count("stored as a dead letter") == 2)
        assert process.stop() == 0
    bus.produce(f"{group}.dead-letters", value=b"no dead letter", headers={})
    bus.produce(f"{group}.dead-letters", value=b"", headers=FORGED)
    assert "repeat it with --apply" in dead_letters(bus, table, "import", "-g", group).log
    assert listed(bus, table) == []
    log = dead_letters(bus, table, "import", "-g", group, "--apply").log
    assert "2 dead letters to store, 0 known already" in log
    assert f"Record {group}.dead-letters:0:2 is no dead letter: skipped" in log
    assert f"Record {group}.dead-letters:0:3 is no dead letter: skipped" in log
    assert sorted(letter["offset"] for letter in listed(bus, table)) == [0, 2]
    assert "0 dead letters to store, 0 known already" in dead_letters(bus, table, "import", "-g", group, "--apply").log
    bus.commit(f"{group}.dead-letters.import", f"{group}.dead-letters", 0)
    assert "0 dead letters to store, 2 known already" in dead_letters(bus, table, "import", "-g", group, "--apply").log
    ran = dead_letters(bus, table, "replay", "-g", group, "--apply", receivers="fail_for_odd", exit_code=1)
    assert ran.users("fail_for_odd") == [1, 3]


def test_a_worker_deletes_dead_letters_and_inbox_marks_that_exceed_the_retention(
    bus: Bus, topic: str, group: str, table: dict[str, Any]
) -> None:
    send(bus, topic, certificate(1))
    with worker(bus, topic, group, "fail,once.award", **table) as process:
        process.wait_for_log("stored as a dead letter")
        assert process.stop() == 0
    with closing(sqlite3.connect(table["DATABASES"]["default"]["NAME"])) as database, database:
        database.execute("update event_bus_kafka_deadletter set last_failed_at = '2020-01-01 00:00:00'")
        database.execute("update event_bus_kafka_inboxmark set marked_at = '2020-01-01 00:00:00'")
    with worker(bus, topic, group, "note,once.award", **table) as process:
        process.wait_for_log("Deleted 1 dead letters older than EVENT_BUS_KAFKA_RETENTION")
        process.wait_for_log("Deleted 1 marks of the inbox older than EVENT_BUS_KAFKA_RETENTION")
        process.wait_for_log("Running consumer")  # from then on the command handles signals
        assert process.stop() == 0
    assert listed(bus, table) == []


FORGED = {
    f"dead_letter_{name}": value.encode()
    for name, value in {
        "group": "g",
        "topic": "t",
        "partition": "0",
        "offset": str(2**70),
        "timestamp": "",
        "attempts": "1",
        "failed_at": "2026-01-01T00:00:00+00:00",
        "failures": "[]",
        "key": "",
    }.items()
}
"""Headers of a record that has the form of a dead letter. The offset is too large for any table."""


def test_quarantining_a_record_of_the_sandbox_fails_with_advice_to_use_a_real_kafka(
    request: pytest.FixtureRequest, group: str, table: dict[str, Any]
) -> None:
    from tests.services.bus import SandboxBus

    bus = SandboxBus(request.getfixturevalue("sandbox"))
    assert "use a real Kafka" in dead_letters(bus, table, "take", "topic:0:0", "-g", group, exit_code=1).log
