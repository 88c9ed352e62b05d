"""
A relay removes confirmed rows during a batch, on a separate connection. However the batch ends, the removed rows do not
come back.
"""

from __future__ import annotations

from time import monotonic

import pytest
from django.db import Error, connections, transaction

from event_bus_kafka.models import OutboxRecord
from event_bus_kafka.relaying import connection
from event_bus_kafka.relaying.batch import Batch
from event_bus_kafka.relaying.connection import OwnConnection
from event_bus_kafka.relaying.statements import DIALECTS
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
def test_a_broken_connection_reconnects_before_a_transaction_only_if_it_was_idle(
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
