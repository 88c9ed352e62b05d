"""The relay's queries use indexes, even if the statistics in the database are wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import F
from django.test import override_settings

from event_bus_kafka.models import SHARDS, OutboxRecord
from event_bus_kafka.models.outbox import TOPICS_INDEX
from event_bus_kafka.relaying.claims import Claims
from tests.support.databases import Database, on_mysql_too
from tests.support.outbox_service import Service

pytestmark = pytest.mark.real

OUTBOX = OutboxRecord._meta.db_table
SIZES = "event_bus_kafka_outbox_sizes"


@on_mysql_too
def test_each_query_of_the_relay_uses_an_index_and_scans_no_table(service: Service, database: Database) -> None:
    """
    Without indexes, each chunk or shard would need a scan of the whole table. The more rows wait, the longer the scan
    would take.
    """
    primary = f"{OUTBOX}_pkey" if database.vendor == "postgresql" else "PRIMARY"
    service.emit_many(20_000)
    assert_look_ups(database, primary)
    analyze(database)  # one shard contains all rows
    assert_look_ups(database, primary)
    OutboxRecord.objects.update(shard=F("id") % SHARDS)
    assert_look_ups(database, primary)
    analyze(database)
    assert_look_ups(database, primary)


@on_mysql_too
def test_s10_planning_a_batch_does_not_read_all_rows_of_a_held_topic(service: Service, database: Database) -> None:
    """
    To plan a batch, the relay reads only the rows of the batch and a few index entries, even if many other rows wait or
    the statistics of the database are wrong.
    """
    held = f"{service.topic}-held"
    with override_settings(**service.settings_for(service.topic, held)):
        service.emit_many(20_000, topic=held)
        service.emit_many(300)
    OutboxRecord.objects.update(shard=F("id") % SHARDS)
    for _ in range(2):
        for most in (0, 10):  # 10: the relay tries whether the topic accepts a few rows
            examined, planned = looked(database, {held: most})
            assert planned == 300 + most * SHARDS
            assert examined < planned + 1_000
        analyze(database)


@on_mysql_too
def test_s10_a_relay_plans_the_same_number_of_rows_with_and_without_the_index_of_topics(
    service: Service, database: Database
) -> None:
    """The index does not exist until its migration has run."""
    held = f"{service.topic}-held"
    with override_settings(**service.settings_for(service.topic, held)):
        service.emit_many(30, topic=held)
        service.emit_many(300)
    call_command("migrate", "event_bus_kafka", "0007", verbosity=0)
    claims = Claims("default", notify=False, parked_holds_key=False)
    for _ in range(2):
        with claims.claim(range(SHARDS)) as shards:
            assert sum(map(len, claims.plan(shards, {held: 0}).chunks)) == 300
            assert sum(map(len, claims.plan(shards, {}).chunks)) == 330
        claims.close()
        call_command("migrate", "event_bus_kafka", verbosity=0)


@on_mysql_too
def test_s10_a_batch_starts_with_the_rows_that_need_a_separate_round_trip(service: Service, database: Database) -> None:
    """
    A row that is sent alone needs a separate round trip. If it is sent at the start of a batch, other rows can be sent
    during this round trip. At the end of a batch, the relay would have to wait.
    """
    tried = f"{service.topic}-tried"
    with override_settings(**service.settings_for(service.topic, tried)):
        service.emit_many(300)
        service.emit_many(300, topic=tried)
    claims = Claims("default", notify=False, parked_holds_key=False)
    with claims.claim(range(SHARDS)) as shards:
        ids = [number for chunk in claims.plan(shards, {tried: 10}).chunks for number in chunk]
        assert set(ids[:10]) == {row.id for row in claims.rows(ids) if row.topic == tried}
    claims.close()


def looked(database: Database, limits: dict[str, int]) -> tuple[int, int]:
    """
    Plan a batch of all shards. Return the number of table and index entries that the server read, and the number of
    planned rows.
    """
    claims = Claims("default", notify=False, parked_holds_key=False)
    with claims.claim(range(SHARDS)) as shards:
        found = rows_examined(claims, database, lambda: sum(map(len, claims.plan(shards, limits).chunks)))
    claims.close()
    return found


def rows_examined(claims: Claims, database: Database, look: Callable[[], int]) -> tuple[int, int]:
    """Return the number of entries that the server reads during a call of ``look``, and the result of this call."""
    ask = claims._connection.query
    if database.vendor != "postgresql":
        before = handled(ask("SHOW SESSION STATUS LIKE 'Handler_read%%'"))
        result = look()
        return handled(ask("SHOW SESSION STATUS LIKE 'Handler_read%%'")) - before, result
    examined = 0

    def explain(statement: str, parameters: Sequence[Any] = (), **_: Any) -> Sequence[tuple[Any, ...]]:
        nonlocal examined
        if statement.startswith(("SELECT", "WITH")) and OUTBOX in statement:
            lines = [line for (line,) in ask(f"EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF) {statement}", parameters)]
            examined += sum(map(read_by, lines))
            examined += sum(int(found[1]) for line in lines if (found := re.search(r"Removed by Filter: (\d+)", line)))
        return ask(statement, parameters)

    claims._connection.query = explain  # type: ignore[method-assign]
    result = look()
    claims._connection.query = ask  # type: ignore[method-assign]
    return examined, result


def analyze(database: Database) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {'' if database.vendor == 'postgresql' else 'TABLE'} {OUTBOX}")


def assert_look_ups(database: Database, primary: str) -> None:
    claims = Claims("default", notify=False, parked_holds_key=False)
    dialect = claims._dialect

    def assert_by(index: str, statement: str, parameters: Sequence[Any] = ()) -> None:
        lines = claims._connection.query(f"EXPLAIN {statement}", parameters)
        if database.vendor == "postgresql":
            plan = "\n".join(line for (line,) in lines)
            assert f"using {index} on {OUTBOX}" in plan, plan
            assert "Index Cond" in plan
            assert not any(step in plan for step in (f"Seq Scan on {OUTBOX}", "Bitmap", "Sort", "Filter: (shard")), plan
        else:
            partitions = database.vendor == "mysql"  # MySQL prints the row counts before the access method
            ways = {(line[3 + partitions], line[5 + partitions]) for line in lines if line[2] in ("r", OUTBOX)}
            assert ways, lines
            assert ways <= {("range", index), ("ref", index), ("eq_ref", index)}, lines

    assert_by(SIZES, dialect.probe)
    with claims.claim(range(SHARDS)) as shards:
        ids = claims.plan(shards, {}).chunks[0]
        assert len(ids) == 1_000
        if database.vendor == "postgresql":  # PostgreSQL would compile the query for seconds
            assert claims._connection.query("SHOW jit") == [("off",)]
        assert_by(SIZES, dialect.plan(shards, most=1_000, parked_holds_key=False))
        assert_by(TOPICS_INDEX, dialect.next_topics(shards, is_indexed=True), ["topic"] * SHARDS)
        by_topic = dialect.plan_by_topic([(shard, 1_000) for shard in shards], is_indexed=True, parked_holds_key=False)
        assert_by(TOPICS_INDEX, by_topic, dialect.names(["topic"] * SHARDS))
        assert_by(primary, *dialect.fetch(ids))
        assert_by(primary, *dialect.fetch(ids[::3]))
        assert_by(primary, dialect.remove, [dialect.ids(ids)])
        remove_range = dialect.remove_range.rpartition(" FOR */ ")[2]  # MariaDB explains no SET STATEMENT
        assert_by(primary, remove_range, [ids[0], ids[-2]])
    claims.close()


def handled(status: Sequence[tuple[Any, ...]]) -> int:
    """Return the number of entries read in this session, computed from the status variables of MySQL or MariaDB."""
    return sum(
        int(count) for name, count in status if name != "Handler_read_rnd_next"
    )  # counts reads of temporary tables


def read_by(line: str) -> int:
    """Return the number of outbox entries that one line of PostgreSQL's query plan reports as read."""
    found = re.search(r"(?:Scan|Scan Backward) .*actual rows=([\d.]+) loops=(\d+)", line)
    return round(float(found[1]) * int(found[2])) if found and OUTBOX in line else 0
