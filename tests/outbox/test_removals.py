"""
A relay removes confirmed rows during a batch, on a separate connection. However the batch ends, the removed rows do not
come back.
"""

from __future__ import annotations

from contextlib import closing
from time import monotonic

import pytest
from django.db import Error, OperationalError, connections, transaction

from event_bus_kafka.models import OutboxRecord
from event_bus_kafka.relaying import connection
from event_bus_kafka.relaying.batch import Batch
from event_bus_kafka.relaying.claims import Claims
from event_bus_kafka.relaying.connection import OwnConnection
from event_bus_kafka.relaying.statements import DIALECTS, NO_SCAN
from event_bus_kafka.telemetry.events import RelayInterrupted, TopicHeld
from tests.support.databases import connected, on_mysql_too
from tests.support.outbox_service import Service, until
from tests.support.watching import watched

pytestmark = pytest.mark.real


class Death(BaseException):
    """An exception that ends a relay at once."""


@on_mysql_too
def test_case_35_removed_rows_stay_removed_although_the_relay_dies_after_the_batch(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kafka has confirmed all rows. The transaction that claims the rows is never committed."""
    sent = service.emit_many(5_000)
    finish = Batch.finish

    def finish_and_die(batch: Batch) -> None:
        finish(batch)
        raise Death

    monkeypatch.setattr(Batch, "finish", finish_and_die)
    with service.relay() as relay, pytest.raises(Death):
        relay.step()
    monkeypatch.undo()
    left = service.waiting
    assert 0 < left <= 2_000, "the last two chunks at most"
    service.drain()
    assert service.all_ids() == sent + sent[-left:]


@on_mysql_too
def test_a_relay_continues_and_loses_no_row_after_a_failed_removal(service: Service) -> None:
    """Another transaction locks a row. The removal of this row fails when its lock timeout is over."""
    sent = service.emit_many(5_000)
    with service.relay() as relay:
        with transaction.atomic(), watched(RelayInterrupted) as seen:
            OutboxRecord.objects.select_for_update().get(pk=OutboxRecord.objects.earliest("pk").pk)
            relay.step()
            (interrupted,) = seen
            assert isinstance(interrupted.error, Error)
            assert service.waiting == 5_000
        until(lambda: not service.waiting, step=relay.step)
    assert list(dict.fromkeys(service.all_ids())) == sent


@on_mysql_too
def test_a_removal_does_not_wait_for_uncommitted_rows_beside_the_removed_rows(service: Service) -> None:
    """
    Other transactions have inserted rows before, between and after the removed rows. Most of the removed rows have
    consecutive ids.
    """
    service.emit_many(300)
    rows = list(OutboxRecord.objects.order_by("pk"))
    others = [rows.pop(index) for index in (299, 150, 148, 0)]
    OutboxRecord.objects.filter(pk__in=[row.pk for row in others]).delete()
    with closing(Claims("default", notify=False, parked_holds_key=False)) as claims, transaction.atomic():
        OutboxRecord.objects.bulk_create(others)
        claims.remove([row.pk for row in rows], at_once=True)  # fails if it waits for a lock
    assert service.waiting == 4


@pytest.mark.parametrize("database", ["mysql"], indirect=True)
def test_rows_are_removed_one_by_one_if_a_removal_by_range_would_scan_the_table(service: Service) -> None:
    """
    The test gives the server too little memory to use an index for a range. A removal by range would scan the table,
    and would wait for the row that another transaction has locked.
    """
    service.emit_many(300)
    ids = list(OutboxRecord.objects.order_by("pk").values_list("pk", flat=True))
    with closing(Claims("default", notify=False, parked_holds_key=False)) as claims, transaction.atomic():
        OutboxRecord.objects.filter(pk=ids[-1]).update(size=1)
        claims._second.execute("SET SESSION range_optimizer_max_mem_size = 1")
        claims.remove(ids[:-1], at_once=True)
    assert service.waiting == 1


@pytest.mark.parametrize("database", ["mysql", "mariadb"], indirect=True)
def test_the_database_refuses_a_removal_by_range_that_would_scan_the_table(service: Service) -> None:
    service.emit()
    own = OwnConnection(connections["default"], DIALECTS["mysql"])
    scan = DIALECTS["mysql"].remove_range.partition(" WHERE ")[0] + " WHERE size >= 0"
    with closing(own), pytest.raises(OperationalError) as caught:
        own.execute(scan)
    assert caught.value.args[0] == NO_SCAN
    assert service.waiting == 1


@on_mysql_too
@pytest.mark.parametrize(
    "removed",
    [
        pytest.param([0], id="one"),
        pytest.param([9, 7, 8, 6], id="a short run"),
        pytest.param([*range(150, 20, -1)], id="a long run"),
        pytest.param([*range(130), *range(131, 290), 295, 299], id="long runs and single rows"),
    ],
)
def test_exactly_the_rows_with_the_given_ids_are_read_and_removed(service: Service, removed: list[int]) -> None:
    service.emit_many(300)
    ids = list(OutboxRecord.objects.order_by("pk").values_list("pk", flat=True))
    chosen = [ids[index] for index in removed]
    with closing(Claims("default", notify=False, parked_holds_key=False)) as claims:
        assert [row.id for row in claims.rows(chosen)] == sorted(chosen)
        claims.remove(chosen, at_once=True)
    assert list(OutboxRecord.objects.order_by("pk").values_list("pk", flat=True)) == sorted(set(ids) - set(chosen))


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_s13_rows_are_not_sent_repeatedly_if_row_security_prevents_their_removal(service: Service) -> None:
    """
    No row security policy allows the relay's user to delete rows, so PostgreSQL deletes nothing, and raises no error.
    """
    sent = service.emit_many(600)
    table = OutboxRecord._meta.db_table
    with connections["default"].cursor() as cursor:
        cursor.execute("CREATE ROLE relay LOGIN")
        cursor.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO relay")
        cursor.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        for command in ("SELECT", "INSERT", "UPDATE"):
            clause = "WITH CHECK" if command == "INSERT" else "USING"
            cursor.execute(f"CREATE POLICY may_{command} ON {table} FOR {command} {clause} (true)")
    with connected(service.entry | {"USER": "relay"}, "default"):
        with watched(TopicHeld) as seen, service.relay() as relay:
            for _ in range(10):
                relay.step()
            assert isinstance(seen[-1].error, Error)
            with transaction.atomic():
                assert service.waiting == 600
        assert service.all_ids() == sent
    with connections["default"].cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    service.drain()
    assert list(dict.fromkeys(service.all_ids())) == sent


def test_a_relay_opens_a_second_connection_only_for_large_batches(service: Service) -> None:
    until(lambda: sessions() == 1)
    with service.relay() as relay:
        service.emit()
        relay.step()
        assert (service.waiting, sessions()) == (0, 2)
        service.emit_many(3_000)
        relay.step()
        assert (service.waiting, sessions()) == (0, 3)
        relay.step()
        rested = monotonic()
        until(lambda: sessions() == 2)
        assert monotonic() - rested < 30, "long before a server ends an idle connection"


@on_mysql_too
def test_a_transaction_reopens_a_broken_connection_only_if_the_connection_was_idle(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = OwnConnection(connections["default"], DIALECTS[connections["default"].vendor])
    with own.transaction():
        assert len(own.query("SELECT 1")) == 1
    own.raw.close()
    with pytest.raises(Error), own.transaction():
        own.query("SELECT 1")
    own.raw.close()
    monkeypatch.setattr(connection, "_RESTED", 0.0)
    with own.transaction():
        assert len(own.query("SELECT 1")) == 1
    own.close()


def test_rows_are_removed_on_sqlite_while_other_rows_are_read(sqlite_service: Service) -> None:
    sent = sqlite_service.emit_many(5_000)
    with watched(RelayInterrupted) as seen:
        sqlite_service.drain()
    assert not seen
    assert sqlite_service.all_ids() == sent


def sessions() -> int:
    """Return the number of connections to the database, including the connection that counts them."""
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "SELECT COUNT(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND backend_type = 'client backend'"
            if cursor.db.vendor == "postgresql"
            else "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE()"
        )
        return int(cursor.fetchone()[0])
