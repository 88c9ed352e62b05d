"""A backfill sends the items of a source, such as the rows of a table, and obeys its limit of events per second."""

from __future__ import annotations

import io
import re
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import attrs
import pytest
from django.core.management.base import OutputWrapper
from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import override_settings
from openedx_events.learning.signals import CERTIFICATE_CREATED
from pytest_django import DjangoAssertNumQueries, DjangoDbBlocker

from event_bus_kafka import RowsByPk, backfill_source, create_producer
from event_bus_kafka.errors import ConfigurationError, WorkerFailed
from event_bus_kafka.management.long_runs import Interruption, Pace, ProgressBar
from event_bus_kafka.models import OutboxShard
from event_bus_kafka.producing import backfill
from event_bus_kafka.producing.producer import KafkaEventProducer
from event_bus_kafka.producing.routing import Route
from event_bus_kafka.sandbox import Sandbox
from event_bus_kafka.telemetry.events import EventSpilled, EventUndelivered, LifecycleEvent, RecordDelivered
from tests.services.bus import CREATED, SandboxBus
from tests.support.databases import connected
from tests.support.examples_of import certificate
from tests.support.sending import own_producer
from tests.support.watching import watched


@pytest.fixture
def shards() -> list[int]:
    """Create 250 rows; return their primary keys."""
    OutboxShard.objects.all().delete()
    return [row.pk for row in OutboxShard.objects.bulk_create(OutboxShard(pk=number) for number in range(1000, 1250))]


@pytest.mark.django_db
def test_rows_are_yielded_in_order_of_primary_keys_page_by_page(
    shards: list[int], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    rows = RowsByPk(OutboxShard.objects.order_by("-pk"))
    with django_assert_num_queries(4):
        assert [row.pk for row in rows(None)] == shards
    assert [row.pk for row in rows("1147")] == shards[148:]
    assert (rows.count(None), rows.count("1147"), list(rows("1249"))) == (250, 102, [])


@pytest.mark.django_db
def test_rows_are_not_yielded_if_they_are_deleted_before_they_are_read(shards: list[int]) -> None:
    coming = iter(RowsByPk(OutboxShard.objects.all())(None))
    begun = [next(coming).pk for _ in range(100)]
    OutboxShard.objects.filter(pk__lt=1200).delete()
    assert begun + [row.pk for row in coming] == shards[:100] + shards[200:]


def test_two_backfill_sources_that_share_a_name_raise_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill, "_registered", {})
    _register_runs()
    assert list(backfill.sources()) == [f"{__name__}.runs"]
    _register_other_runs()
    with pytest.raises(ConfigurationError, match=rf"^Two backfill sources are named {__name__}\.runs: in tests"):
        backfill.sources()


def _register_runs() -> None:
    @backfill_source(CERTIFICATE_CREATED, count=lambda _: 0)
    def runs(_: str | None) -> list[backfill.Item]:
        return []


def _register_other_runs() -> None:
    @backfill_source(CERTIFICATE_CREATED, count=lambda _: 0)
    def runs(_: str | None) -> list[backfill.Item]:
        return []


def sending(producer: KafkaEventProducer) -> backfill.Backfill:
    """Return a backfill that sends certificates to the topic ``t``."""
    route = Route(
        event_type=CREATED, topic="t", key_field="certificate.user.id", enabled=True, mode="on-commit", database=None
    )
    return backfill.Backfill(signal=CERTIFICATE_CREATED, routes=[route], producer=producer)


@pytest.mark.django_db(transaction=True)
def test_a_backfill_ignores_unconfirmed_events_of_other_senders(sandbox: Sandbox) -> None:
    """Other lanes of a worker send at the same time. Some of their events may wait in clients that were replaced."""
    settings = SandboxBus(sandbox).settings("t", EVENT_BUS_KAFKA_DELIVERY_TIMEOUT=30)
    never = {"EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"}
    with watched(EventSpilled, EventUndelivered) as given_up, override_settings(**settings):
        with own_producer() as other:
            with override_settings(**never):
                other.send_many(
                    signal=CERTIFICATE_CREATED,
                    topic="t",
                    event_key_field="certificate.user.id",
                    events=[({"certificate": certificate()}, CERTIFICATE_CREATED.generate_signal_metadata())],
                )
            with own_producer() as producer:
                assert sending(producer).send([("1", {"certificate": certificate()})]) == []
                clients = other._connecting.clients
                assert clients is not None
                assert (given_up, len(clients.unreported)) == ([], 1)
                clients.give_up()


def test_an_unreachable_database_ends_a_backfill_instead_of_failing_its_items(
    tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    entry = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "no such folder" / "database")}
    with django_db_blocker.unblock(), connected(entry, "away") as connection:
        with pytest.raises(WorkerFailed, match="the database is away: OperationalError"):
            sending(create_producer()).send([("1", partial(asked, connection))])


def test_items_are_read_on_a_new_connection_after_a_restart_of_the_database(
    tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    nowhere = attrs.evolve(sending(create_producer()), routes=[])
    entry = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "database")}
    with django_db_blocker.unblock(), connected(entry, "restarted") as connection:
        connection.ensure_connection()
        connection.connection.close()
        assert nowhere.send([("1", partial(asked, connection)), ("2", partial(asked, connection))]) == []


def asked(connection: BaseDatabaseWrapper) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return {"certificate": certificate()}


@pytest.mark.django_db(transaction=True)
def test_a_backfill_fails_if_an_item_gets_no_delivery_report(sandbox: Sandbox) -> None:
    settings = SandboxBus(sandbox).settings(
        "t",
        EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:9",
        EVENT_BUS_KAFKA_DELIVERY_TIMEOUT=0.1,
        EVENT_BUS_KAFKA_SHUTDOWN_SPILL=0.1,
        EVENT_BUS_KAFKA_PRODUCER_OPTIONS={"message.timeout.ms": 600_000},
    )
    with override_settings(**settings), own_producer() as producer:
        with pytest.raises(WorkerFailed, match="did not confirm all"):
            sending(producer).send([("1", {"certificate": certificate()})])
        clients = producer._connecting.clients
        assert clients is not None
        clients.give_up()


@pytest.mark.django_db(transaction=True)
def test_an_item_whose_function_leaves_a_transaction_open_fails_and_the_next_item_is_sent(sandbox: Sandbox) -> None:
    """If the transaction stayed open, the events of the whole batch would wait for a commit that never comes."""

    def leaving() -> dict[str, Any]:
        transaction.atomic().__enter__()
        return {"certificate": certificate(1)}

    with override_settings(**SandboxBus(sandbox).settings("t")), own_producer() as producer:
        items: list[backfill.Item] = [("1", leaving), ("2", {"certificate": certificate(2)})]
        with watched(RecordDelivered) as delivered:
            (failed,) = sending(producer).send(items)
    assert (failed.token, len(delivered)) == ("1", 1)
    assert str(failed.error).startswith("transaction left open on default")


def test_an_item_fails_if_the_second_call_of_its_function_leaves_a_transaction_open(
    tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    """
    The function is called again because its database is unreachable at the first call. The error of the second call
    must not count as an outage, which would end the whole backfill.
    """
    folder, calls = tmp_path / "missing at first", count(1)

    def leaving() -> dict[str, Any]:
        if next(calls) == 2:
            folder.mkdir()
        found = asked(connection)
        transaction.atomic(using="other").__enter__()
        return found

    nowhere = attrs.evolve(sending(create_producer()), routes=[])
    entry = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "database")}
    with django_db_blocker.unblock(), connected(entry, "other") as connection:
        (failed,) = nowhere.send([("1", leaving)])
    assert str(failed.error).startswith("transaction left open on other")


def test_nothing_is_sent_if_an_item_uses_a_database_without_autocommit(
    tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    """An event in the outbox of such a database would wait for a commit that never comes."""
    entry = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "database"), "AUTOCOMMIT": False}
    with django_db_blocker.unblock(), connected(entry, "other") as connection, watched(LifecycleEvent) as seen:
        with pytest.raises(WorkerFailed, match="a transaction is open on other"):
            sending(create_producer()).send([("1", partial(asked, connection))])
    assert seen == []


def test_a_backfill_keeps_its_average_rate_and_does_not_make_up_for_a_long_delay() -> None:
    now, waited = 100.0, []

    def wait(seconds: float) -> None:
        nonlocal now
        now += seconds
        waited.append(seconds)

    pace = Pace(20, Interruption(), clock=lambda: now, wait=wait)
    assert (pace.batch(500), pace.batch(7), Pace(0.5, Interruption()).batch(500)) == (20, 7, 1)
    now += 0.75  # the batch took this long
    pace.keep(20)
    assert now == pytest.approx(101.0)
    assert max(waited) <= 0.1
    now += 1.5  # half a second too long
    pace.keep(40)
    pace.keep(60)
    assert now == pytest.approx(103.0)
    now += 600
    pace.keep(80)
    ended = []
    for done in (100, 120, 140):
        pace.keep(done)
        ended.append(now)
    assert ended == pytest.approx([703.0, 704.0, 705.0])


def test_a_progress_bar_overwrites_its_line_on_a_terminal() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    bar = ProgressBar(OutputWrapper(terminal), 8)
    bar.tell(2, "a long note")
    bar.tell(8, "short")
    bar.end()
    bar.end()
    _, first, second = re.sub(r" +\d+/s", "", terminal.getvalue()).split("\r")
    assert first == f"[{'#' * 7}{' ' * 23}]  25%  2 of 8  a long note"
    assert second.startswith(f"[{'#' * 30}] 100%  8 of 8  short")
    assert second.endswith(" \n")
    assert len(second) >= len(first)


def test_a_backfill_that_waits_for_its_rate_can_be_interrupted() -> None:
    interruption, ticks = Interruption(), count()

    def wait(_: float) -> None:
        interruption.came = next(ticks) == 2

    Pace(1, interruption, clock=lambda: 0.0, wait=wait).keep(1000)
    assert next(ticks) == 3
    pace = Pace(None, Interruption(), clock=lambda: 0.0, wait=wait)
    pace.keep(1000)
    assert (next(ticks), pace.batch(500)) == (4, 500)
