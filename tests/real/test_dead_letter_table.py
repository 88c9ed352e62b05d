"""Dead letters are stored, claimed, replayed and purged on each database server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from time import sleep
from typing import Any

import pytest
from django.core.management import CommandError
from django.db import connections
from django.test import override_settings

from event_bus_kafka.dead_letters.pending import Change, of_row
from event_bus_kafka.dead_letters.retention import purge_all, purge_entries
from event_bus_kafka.dead_letters.table_store import TableStore, amend, claim
from event_bus_kafka.errors import DeadLetterStoreFailed
from event_bus_kafka.models import DeadLetter, DeadLetterEntry
from event_bus_kafka.sandbox import Sandbox
from tests.support.databases import Database, connected, end_session, on_mysql_too
from tests.support.letters import FAILED_AT, letter_of, record_of, run, service_with, states, stored

pytestmark = [pytest.mark.real, on_mysql_too]

RECEIVER = "credentials.receivers.award"


@pytest.fixture(autouse=True)
def table(database: Database, sandbox: Sandbox) -> Iterator[None]:
    with (
        override_settings(EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL=sandbox.schema_registry_url),
        override_settings(EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:9"),
        database.connected("default"),
    ):
        yield


def test_a_record_is_read_from_the_dead_letter_table_byte_for_byte() -> None:
    headers = (("a", b"\xff\0"), ("b", None), ("a", "naïve 🎓".encode()), ("c", b"nul \0"), ("d", b""))
    record = record_of(7, offset=2**62, headers=headers, key=b"\0\xff", value=bytes(range(256)) * 4096)
    assert DeadLetter.objects.get(pk=stored(record, RECEIVER).pk).record == record
    tombstone = record_of(7, value=None, key=None)
    assert DeadLetter.objects.get(pk=stored(tombstone).pk).record == tombstone


@pytest.mark.parametrize("event_type", [b"x" * 10_000, b"nul \0", "🎓".encode() * 300])
def test_a_record_with_any_event_type_header_can_be_stored(event_type: bytes) -> None:
    record = record_of(7, headers=(("ce_type", event_type),))
    letter = DeadLetter.objects.get(pk=stored(record).pk)
    assert letter.record == record
    assert 0 < len(letter.event_type) <= 255


def test_the_deletion_of_expired_dead_letters_is_committed_when_autocommit_is_off(database: Database) -> None:
    stored(record_of(7), RECEIVER)
    with connected(database.entry | {"AUTOCOMMIT": False}, "default"):
        list(purge_all(-1, history=1, dead_letters=True))
    assert DeadLetter.objects.count() == 0


def test_a_repeated_failure_of_a_record_updates_the_row_of_its_dead_letter() -> None:
    first = stored(record_of(7), RECEIVER)
    again = stored(record_of(7), RECEIVER, failed_at=FAILED_AT + timedelta(hours=1))
    assert (first.pk, DeadLetter.objects.count()) == (again.pk, 1)
    letter = DeadLetter.objects.get()
    assert (letter.first_failed_at, letter.last_failed_at) == (FAILED_AT, FAILED_AT + timedelta(hours=1))
    stored(record_of(7), RECEIVER, group="other")
    assert DeadLetter.objects.count() == 2


def test_only_one_of_many_concurrent_operators_can_claim_a_letter() -> None:
    stored(record_of(7), RECEIVER)
    letters = [DeadLetter.objects.get() for _ in range(8)]
    start = threading.Barrier(len(letters))
    claims: list[bool] = []

    def claim_one(letter: DeadLetter) -> None:
        start.wait()
        claims.append(claim(letter, datetime.now(UTC) + timedelta(hours=1)))

    at_once([lambda letter=letter: claim_one(letter) for letter in letters])  # type: ignore[misc]
    assert sorted(claims) == [False] * 7 + [True]
    assert DeadLetter.objects.get().attempts == 6


def test_failure_times_are_compared_with_the_precision_of_a_microsecond() -> None:
    stored(record_of(7), RECEIVER)
    known = DeadLetter.objects.has_failed_since
    event_id = DeadLetter.objects.get().event_id
    assert known(record_of(7), group="mail", event_id=event_id, time=FAILED_AT)
    assert not known(record_of(7), group="mail", event_id=event_id, time=FAILED_AT + timedelta(microseconds=1))
    assert not known(record_of(7, offset=1), group="mail", event_id=event_id, time=FAILED_AT)


def test_letters_can_be_listed_shown_discarded_and_purged_by_the_command_event_dead_letters() -> None:
    letters = [stored(record_of(7, offset=offset), RECEIVER) for offset in (10, 9)]
    assert run("list").count(RECEIVER) == 2
    assert run("list", "--receiver", RECEIVER, "--limit", 1).endswith("… and 1 more\n")
    assert "ce_type" in run("show", letters[0].pk)
    assert f"no longer here: {RECEIVER}" in run("replay", "--all")
    assert "Deleted 1 dead letters." in run("discard", letters[0].pk, "--apply")
    assert "Deleted 1 dead letters." in run("purge", "--days", 1, "--apply")
    assert "No dead letters." in run("list")


def at_once(tasks: list[Callable[[], object]]) -> list[Exception]:
    """
    Run the functions at the same time, each in a thread with separate connections; return the exceptions of the
    functions.
    """
    entry, errors = connections["default"], []

    def run_one(task: Callable[[], object]) -> None:
        connections["default"] = connection = entry.copy()
        try:
            task()
        except Exception as error:  # noqa: BLE001 the caller checks it
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run_one, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


@pytest.mark.parametrize("left", [(), ("other",)])
def test_c3_a_letter_keeps_a_failure_that_a_worker_stores_while_a_replay_writes_the_letter(
    left: tuple[str, ...],
) -> None:
    letter = stored(record_of(7), RECEIVER, *left)
    reading = threading.Event()

    def replay_writes() -> None:
        def decide(row: DeadLetter) -> Change:
            reading.set()
            sleep(0.3)  # meanwhile the other thread waits for the lock of the row
            return Change(pending={name: one for name, one in of_row(row).items() if name in left})

        amend(letter, decide)

    def worker_stores() -> None:
        reading.wait()
        stored(record_of(7), RECEIVER, failed_at=FAILED_AT + timedelta(hours=1), error="KeyError")

    assert at_once([replay_writes, worker_stores]) == []
    row = DeadLetter.objects.get()
    assert sorted(row.failed_receivers) == sorted((RECEIVER, *left))
    assert {one["error"] for one in row.failures if one["receiver"] == RECEIVER} == {"KeyError"}
    assert set(states().values()) == {"failed"}


def test_concurrent_lanes_store_letters_without_errors() -> None:
    """Each lane stores letters of different records. In addition, all lanes store a letter of the same record."""

    def lane(first: int) -> None:
        for offset in (*range(first, first + 10), 0):
            stored(record_of(7, offset=offset), RECEIVER, "other")

    assert at_once([lambda first=first: lane(first) for first in (1, 11, 21, 31)]) == []  # type: ignore[misc]
    assert (DeadLetter.objects.count(), DeadLetterEntry.objects.count()) == (41, 82)


def test_receivers_that_differ_in_case_have_separate_entries_which_can_be_purged_after_a_discard() -> None:
    letter = stored(record_of(7), "lms.Award", "lms.award")
    assert DeadLetterEntry.objects.filter(letter=letter).count() == 2
    assert purge_entries(0) == 0
    run("discard", letter.pk, "--apply")
    assert "lms.Award: discarded" in run("list", "--settled")
    sleep(0.01)
    assert purge_entries(0) == 2


@contextmanager
def refusing(database: Database) -> Iterator[None]:
    """Make the server refuse a value of two megabytes, at least while the block runs."""
    if database.vendor == "postgresql":
        database.server.execute(
            f"\\connect {database.entry['NAME']}\n"
            "ALTER TABLE event_bus_kafka_deadletter ADD CHECK (length(value) < 1000000)"
        )
        yield
        return
    database.server.execute("SET GLOBAL max_allowed_packet = 1048576")
    connections["default"].close()
    try:
        yield
    finally:
        database.server.execute("SET GLOBAL max_allowed_packet = 67108864")


def test_c8_a_letter_is_stored_without_a_value_that_the_server_refuses(database: Database) -> None:
    with refusing(database):
        TableStore().store(letter_of(record_of(7, value=b"'" * 2_000_000), RECEIVER))
        TableStore().store(letter_of(record_of(7, offset=1), RECEIVER))
    large, next_one = DeadLetter.objects.with_marks().in_order()
    assert (large.record, large.marks["value"]["size"]) == (record_of(7, value=b""), 2_000_000)
    assert (next_one.record, next_one.marks) == (record_of(7, offset=1), {})
    assert "left out       value, 2000000 bytes, SHA-256" in run("show", large.pk)


def test_c8_a_letter_is_stored_without_headers_that_the_server_cannot_encode(database: Database) -> None:
    record = record_of(7, headers=(*record_of(7).headers, ("half a character: \ud800", b"x")))
    TableStore().store(letter_of(record, RECEIVER))
    (row,) = DeadLetter.objects.with_marks()
    assert row.record.value == record.value
    if row.marks:
        assert (row.record.headers, list(row.marks)) == ((), ["headers"])
    else:
        assert row.record == record, "this server can encode these headers"
    assert row.marks or database.vendor != "postgresql"


def test_c8_a_letter_is_stored_completely_after_the_server_was_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    letter, connection = letter_of(record_of(7), RECEIVER), connections["default"]
    assert not DeadLetter.objects.exists()  # the connection is open
    with monkeypatch.context() as away:
        end_session(connection)
        away.setitem(connection.settings_dict, "PORT", "9")
        with pytest.raises(DeadLetterStoreFailed):
            TableStore().store(letter)
    connection.close()
    TableStore().store(letter)
    assert DeadLetter.objects.with_marks().get().marks == {}


def test_c8_storing_a_letter_raises_an_error_if_the_server_ends_the_connection_twice() -> None:
    """
    A connection pooler that restarts, or a failover, may end a connection twice. MySQL reports this with the same error
    message as a statement that is too large.
    """
    ends = ["first", "second"]

    def end(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        if sql.startswith("INSERT") and ends:
            ends.pop()
            end_session(connections["default"])
        return execute(sql, *arguments)

    with connections["default"].execute_wrapper(end), pytest.raises(DeadLetterStoreFailed):
        TableStore().store(letter_of(record_of(7), RECEIVER))
    assert not DeadLetter.objects.exists()


def test_c3_a_replay_stores_successes_after_the_server_ended_the_connection(sandbox: Sandbox) -> None:
    ran: list[str] = []

    def succeed(**_: object) -> None:
        assert DeadLetter.objects.exists()  # the connection is open
        end_session(connections["default"])
        ran.append("succeed")

    with service_with(sandbox, succeed):
        letter = stored(record_of(7), f"{__name__}.{succeed.__qualname__}", RECEIVER)
        with pytest.raises(CommandError, match="1 of 1 dead letters stay"):
            run("replay", letter.pk, "--apply")
        with pytest.raises(CommandError, match="1 of 1 dead letters stay"):
            run("replay", letter.pk, "--apply")
    assert ran == ["succeed"]
    assert DeadLetter.objects.get().failed_receivers == [RECEIVER]


def test_c2_a_stand_in_settles_only_the_entry_of_the_receiver_that_it_replaces(sandbox: Sandbox) -> None:
    ran: list[str] = []

    def new_grade(**_: object) -> None:
        ran.append("grade")

    name = f"{__name__}.{new_grade.__qualname__}"
    with service_with(sandbox, new_grade):
        letter = stored(record_of(7), "app.receivers.grade", "app.receivers.mail")
        with pytest.raises(CommandError, match="1 of 1 dead letters stay"):
            run("replay", letter.pk, "--receiver", name, "--instead-of", "app.receivers.grade", "--apply")
    assert ran == ["grade"]
    assert DeadLetter.objects.get().failed_receivers == ["app.receivers.mail"]
    assert sorted(states().values()) == ["failed", "replaced by new_grade", "succeeded"]


def test_c8_a_letter_is_stored_completely_after_the_server_ended_the_connection(database: Database) -> None:
    assert not DeadLetter.objects.exists()  # the connection is open
    end_session(connections["default"])
    TableStore().store(letter_of(record_of(7), RECEIVER))
    assert DeadLetter.objects.with_marks().get().record == record_of(7)
