"""The table of dead letters on a database server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connections
from django.test import override_settings

from event_bus_kafka.models import DeadLetter
from event_bus_kafka.sandbox import Sandbox
from tests.support.databases import Database, on_mysql_too
from tests.support.letters import FAILED_AT, record_of, run, stored

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


def test_a_record_comes_back_to_the_byte() -> None:
    headers = (("a", b"\xff\0"), ("b", None), ("a", "naïve 🎓".encode()), ("c", b"nul \0"), ("d", b""))
    record = record_of(7, offset=2**62, headers=headers, key=b"\0\xff", value=bytes(range(256)) * 4096)
    assert DeadLetter.objects.get(pk=stored(record, RECEIVER).pk).record == record
    tombstone = record_of(7, value=None, key=None)
    assert DeadLetter.objects.get(pk=stored(tombstone).pk).record == tombstone


@pytest.mark.parametrize("event_type", [b"x" * 10_000, b"nul \0", "🎓".encode() * 300])
def test_whatever_the_headers_call_the_event_type_the_record_is_stored(event_type: bytes) -> None:
    record = record_of(7, headers=(("ce_type", event_type),))
    letter = DeadLetter.objects.get(pk=stored(record).pk)
    assert letter.record == record
    assert 0 < len(letter.event_type) <= 255


def test_the_same_failure_is_one_row() -> None:
    first = stored(record_of(7), RECEIVER)
    again = stored(record_of(7), RECEIVER, failed_at=FAILED_AT + timedelta(hours=1))
    assert (first.pk, DeadLetter.objects.count()) == (again.pk, 1)
    letter = DeadLetter.objects.get()
    assert (letter.first_failed_at, letter.last_failed_at) == (FAILED_AT, FAILED_AT + timedelta(hours=1))
    stored(record_of(7), RECEIVER, group="other")
    assert DeadLetter.objects.count() == 2


def test_of_many_operators_one_claims_a_row() -> None:
    stored(record_of(7), RECEIVER)
    letters = [DeadLetter.objects.get() for _ in range(8)]
    start = threading.Barrier(len(letters))
    claims: list[bool] = []
    entry = connections["default"]

    def claim(letter: DeadLetter) -> None:
        connections["default"] = connection = entry.copy()
        start.wait()
        claims.append(DeadLetter.objects.claim(letter))
        connection.close()

    threads = [threading.Thread(target=claim, args=(letter,)) for letter in letters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claims) == [False] * 7 + [True]
    assert DeadLetter.objects.get().attempts == 6


def test_a_claim_that_is_given_back_can_be_made_again() -> None:
    stored(record_of(7), RECEIVER)
    mine, theirs = DeadLetter.objects.get(), DeadLetter.objects.get()
    assert DeadLetter.objects.claim(mine)
    assert not DeadLetter.objects.claim(theirs)
    DeadLetter.objects.give_back(mine, mine.failures)
    assert DeadLetter.objects.claim(theirs)
    DeadLetter.objects.keep(theirs, [{"receiver": "x", "error": "E", "place": ""}], failed_at=FAILED_AT)
    letter = DeadLetter.objects.get()
    assert (letter.attempts, letter.failed_receivers) == (6, ["x"])


def test_a_newer_failure_is_known_to_the_microsecond() -> None:
    stored(record_of(7), RECEIVER)
    known = DeadLetter.objects.has_failed_since
    event_id = DeadLetter.objects.get().event_id
    assert known(record_of(7), group="mail", event_id=event_id, time=FAILED_AT)
    assert not known(record_of(7), group="mail", event_id=event_id, time=FAILED_AT + timedelta(microseconds=1))
    assert not known(record_of(7, offset=1), group="mail", event_id=event_id, time=FAILED_AT)


def test_the_commands_work() -> None:
    letters = [stored(record_of(7, offset=offset), RECEIVER) for offset in (10, 9)]
    assert run("list").count(RECEIVER) == 2
    assert run("list", "--receiver", RECEIVER, "--limit", 1).endswith("… and 1 more\n")
    assert "ce_type" in run("show", letters[0].pk)
    assert f"no longer here: {RECEIVER}" in run("replay", "--all")
    assert "Deleted 1 dead letters." in run("discard", letters[0].pk, "--apply")
    assert "Deleted 1 dead letters." in run("purge", "--days", 1, "--apply")
    assert "No dead letters." in run("list")
