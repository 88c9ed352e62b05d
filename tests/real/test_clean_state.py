"""Whatever state a receiver leaves in its thread and its connections, the next event starts with a clean state."""

from __future__ import annotations

from typing import Any

import pytest

from tests.services.bus import RealBus
from tests.support.databases import Database
from tests.support.dead_letters import OnTopic
from tests.support.examples_of import certificate
from tests.support.sending import send
from tests.support.workers import worker

pytestmark = pytest.mark.real

USERS = list(range(1, 25))
LANES = 3


@pytest.mark.parametrize("leaves", ["settings alone", "transaction", "autocommit off", "broken connection"])
def test_case_42_the_next_event_gets_a_clean_connection_whatever_a_receiver_has_left_behind(
    bus: RealBus, topic: str, group: str, database: Database, leaves: str
) -> None:
    """The test checks all aliases of databases and all lanes. Only a broken connection is replaced."""
    with database.connected() as connection, connection.cursor() as cursor:
        cursor.execute("create table leftovers (id integer)")
    kept = OnTopic(bus, group).create()
    send(bus, topic, *map(certificate, USERS))
    aliases = {"default": database.entry, "other": database.entry}
    settings = kept.settings | {"DATABASES": aliases, "EVENT_BUS_KAFKA_RETRY": {"attempts": 1}}
    receivers = "leftovers.look,leftovers.leave_behind"
    with worker(bus, topic, group, receivers, {"LEAVES": leaves}, LANES, **settings) as process:
        process.wait_for(lambda: len(process.users("left")) == len(USERS))
        assert process.stop() == 0
    assert sorted(process.users("look")) == USERS
    assert [one for one in process.heard("look") if not is_clean(one)] == []
    assert bus.committed(group, topic) == len(USERS)
    assert_as_many_letters_and_rows(kept, database, leaves)
    breaks = len(USERS) // 2 if leaves == "broken connection" else 0
    for alias in aliases:
        assert len({one["databases"][alias]["backend"] for one in process.heard("look")}) <= LANES + breaks


def is_clean(look: dict[str, Any]) -> bool:
    seen = (look["language"], look["time_zone"], look["cached"], look["variable"])
    is_open = any(found["open"] for found in look["databases"].values())
    return seen == ("en-us", "America/Chicago", False, "clean") and not is_open


def assert_as_many_letters_and_rows(kept: OnTopic, database: Database, leaves: str) -> None:
    """
    If the receiver has left transactions open, check that their rows were rolled back and their events became dead
    letters. Otherwise check that all rows were committed.
    """
    fails = leaves in ("transaction", "autocommit off")
    odd = [user for user in USERS if user % 2]
    letters = kept.read(len(odd) if fails else 0)
    assert [letter.record.offset + 1 for letter in letters] == (odd if fails else [])
    with database.connected() as connection, connection.cursor() as cursor:
        cursor.execute("select count(*) from leftovers")
        assert cursor.fetchone()[0] == (0 if fails else 2 * len(odd))
