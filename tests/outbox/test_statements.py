"""How a database finds what a relay asks for: by indexes alone, whatever its statistics say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from django.db import connection
from django.db.models import F

from event_bus_kafka.models import SHARDS, OutboxRecord
from event_bus_kafka.relaying.claims import Claims
from tests.support.databases import Database, on_mysql_too
from tests.support.outbox_service import Service

pytestmark = pytest.mark.real

OUTBOX = OutboxRecord._meta.db_table
SIZES = "event_bus_kafka_outbox_sizes"


@on_mysql_too
def test_rows_are_looked_up_and_never_scanned(service: Service, database: Database) -> None:
    """A scan for each chunk, or for each shard, would cost the more the more waits."""
    primary = f"{OUTBOX}_pkey" if database.vendor == "postgresql" else "PRIMARY"
    service.emit_many(20_000)
    assert_look_ups(database, primary)
    analyze(database)  # one shard holds all
    assert_look_ups(database, primary)
    OutboxRecord.objects.update(shard=F("id") % SHARDS)
    assert_look_ups(database, primary)
    analyze(database)
    assert_look_ups(database, primary)


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
            partitions = database.vendor == "mysql"  # MySQL tells of them, before the way
            ways = {(line[3 + partitions], line[5 + partitions]) for line in lines if line[2] == "r"}
            assert ways, lines
            assert ways <= {("range", index), ("ref", index), ("eq_ref", index)}, lines

    assert_by(SIZES, dialect.probe)
    with claims.claim(range(SHARDS)) as shards:
        ids = claims.plan(shards, []).chunks[0]
        assert len(ids) == 1_000
        assert_by(SIZES, dialect.plan(shards, most=1_000, without_topics=0, parked_holds_key=False))
        assert_by(primary, *dialect.fetch(ids))
        assert_by(primary, dialect.remove, [dialect.ids(ids)])
    claims.close()
