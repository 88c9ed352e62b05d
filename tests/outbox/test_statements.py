"""How a database finds what a relay asks for: by indexes alone, however wrong its statistics are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from event_bus_kafka.models import SHARDS, OutboxRecord
from event_bus_kafka.producing.claims import Claims
from event_bus_kafka.producing.dialects import PROBE
from tests.databases import Database
from tests.outbox.service import Service

pytestmark = pytest.mark.real

OUTBOX = OutboxRecord._meta.db_table


def test_rows_are_looked_up_and_never_scanned(service: Service, database: Database) -> None:
    """A scan for each chunk would cost the more the more waits."""
    service.emit_many(20_000)
    claims = Claims("default", notify=False, parked_holds_key=False)
    dialect = claims._dialect

    def assert_no_scan(statement: str, parameters: Sequence[Any] = ()) -> None:
        lines = claims._connection.query(f"EXPLAIN {statement}", parameters)
        if database.vendor == "postgresql":
            plan = "\n".join(line for (line,) in lines)
            assert f" on {OUTBOX}" in plan
            assert not any(step in plan for step in (f"Seq Scan on {OUTBOX}", "Bitmap", "Sort")), plan
        else:
            ways = {str(way) for _, _, table, way, *_ in lines if table in ("r", OUTBOX)}
            assert ways, lines
            assert ways <= {"range", "ref", "eq_ref"}, lines

    assert_no_scan(PROBE)
    with claims.claim(range(SHARDS)) as shards:
        ids = claims.plan(shards, []).chunks[0]
        assert len(ids) == 1_000
        assert_no_scan(dialect.plan(shards, most=1_000, without_topics=0, parked_holds_key=False))
        assert_no_scan(*dialect.fetch(ids))
        assert_no_scan(dialect.remove, [dialect.ids(ids)])
    claims.close()
