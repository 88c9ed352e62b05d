"""
Tests of the command ``relay_events``, of the option ``--with-relay``, and of the command ``event_outbox``, with real
databases.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from time import time
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import override_settings

from event_bus_kafka.models import OutboxRecord, OutboxShard, ParkedRecord
from event_bus_kafka.outbox import backlog
from event_bus_kafka.telemetry.events import OutboxStalled
from tests.projects.process import ServiceProcess
from tests.support.databases import Database, connected, on_mysql_too
from tests.support.outbox_service import Service, until
from tests.support.watching import watched

pytestmark = pytest.mark.real


def run(*arguments: Any) -> str:
    """Run ``event_outbox``; return its output."""
    output = io.StringIO()
    call_command("event_outbox", *map(str, arguments), stdout=output, no_color=True)
    return output.getvalue()


@on_mysql_too
@pytest.mark.parametrize("missing", ["INSERT", "UPDATE"])
def test_a_relay_without_the_right_to_write_shards_exits_and_names_the_missing_grant(
    service: Service, database: Database, missing: str
) -> None:
    if (database.vendor, missing) == ("mariadb", "UPDATE"):
        pytest.skip("on MariaDB, a user who may read rows may also lock them")
    if missing == "INSERT":
        OutboxShard.objects.all().delete()
    with reader_of_shards() as user, connected(service.entry | {"USER": user}, "default"):
        with pytest.raises(CommandError, match=f"GRANT SELECT, INSERT, UPDATE ON .*outboxshard TO {user}") as ended:
            call_command("relay_events", "--once")
    assert ended.value.returncode == 1
    assert re.search("42501 permission denied|1142 .* command denied", str(ended.value))
    service.emit()
    service.drain()


@contextmanager
def reader_of_shards() -> Iterator[str]:
    """Yield the name of a database user who has all rights except the right to write to the table of shards."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE USER reader")
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"GRANT {'SELECT' if table == OutboxShard._meta.db_table else 'ALL'} ON {table} TO reader")
        try:
            yield "reader"
        finally:
            if connection.vendor == "postgresql":
                cursor.execute("DROP OWNED BY reader")
            cursor.execute("DROP USER reader")


@pytest.mark.parametrize("notify", [False, True])
def test_a_relay_sends_new_rows_and_stops_with_exit_code_0(service: Service, notify: bool) -> None:
    with override_settings(EVENT_BUS_KAFKA_RELAY_NOTIFY=notify):
        with service.relay_process(EVENT_BUS_KAFKA_RELAY_NOTIFY=notify) as relay:
            sent = [service.emit()]
            until(lambda: not service.waiting)
            relay.wait_for_log("Running relay")
            sent.append(service.emit())
            until(lambda: not service.waiting)
            assert relay.stop() == 0
    assert service.bus.event_ids(service.topic, 2) == sent
    assert relay.log.count("Message delivered to Kafka event bus") == 2
    assert "learner@example.com" not in relay.log


def test_a_relay_with_the_option_once_exits_with_3_if_rows_remain_and_with_0_otherwise(service: Service) -> None:
    sent = [service.emit(number) for number in range(3)]
    with service.relay_process("--once") as relay:
        assert relay.end() == 0, relay.log
    assert sorted(service.ids(3)) == sorted(sent)
    service.emit(topic=f"{service.topic}-missing")
    with service.relay_process("--once") as relay:
        assert relay.end() == 3
    assert "exit code 3: some rows have to wait; rows in the outbox: 1" in relay.log
    assert service.waiting == 1


@on_mysql_too
def test_a_relay_exits_with_1_without_tables_or_with_invalid_settings(service: Service) -> None:
    with service.relay_process(EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL=None) as relay:
        assert relay.end() == 1
    with service.relay_process("--database", "nowhere") as relay:
        assert relay.end() == 1
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {OutboxRecord._meta.db_table}")
    with service.relay_process() as relay:
        assert relay.end() == 1
    assert "manage.py migrate" in relay.log
    with pytest.raises(CommandError, match=r"manage\.py migrate"):
        run("status")


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_worker_sends_the_rows_of_the_outbox_if_its_extra_options_request_a_relay(
    service: Service, database: Database, group: str
) -> None:
    arguments = ("consume_events", "-t", service.topic, "-g", group, "--extra", '{"with_relay": true}')
    with ServiceProcess(*arguments, settings=service.process_settings(), receivers="note") as worker:
        for user in (1, 2, 3):
            service.emit(user)
        worker.wait_for(lambda: len(worker.users("note")) == 3)
        assert worker.stop() == 0
    assert sorted(worker.users("note")) == [1, 2, 3]
    assert service.waiting == 0


@on_mysql_too
def test_parked_rows_can_be_listed_released_discarded_and_purged(service: Service) -> None:
    sent = [service.emit(user) for user in (1, 2, 3)]
    ids = [row.pk for row in OutboxRecord.objects.order_by("pk")]
    park(service)
    listed = json.loads(run("parked", "--json"))
    assert [(one["id"], one["code"], one["topic"]) for one in listed] == [
        (pk, "POLICY_VIOLATION", service.topic) for pk in ids
    ]
    assert "learner" not in run("parked")
    with pytest.raises(CommandError, match="Say which"):
        run("release")
    with pytest.raises(CommandError, match="There is no parked row 4711"):
        run("discard", 4711)
    assert "1 rows would be released.\nNothing was done: repeat it with --apply." in run("release", ids[0])
    assert "3 rows would be discarded." in run("discard", "--all")
    assert run("parked", "--code", "TOPIC_EXCEPTION") == "No such parked rows.\n"
    assert run("status") == "waiting  none\nparked   3 × POLICY_VIOLATION\n"
    assert (service.waiting, ParkedRecord.objects.count()) == (0, 3)
    assert "1 rows released" in run("release", ids[0], "--apply")
    assert json.loads(run("discard", ids[1], "--apply", "--json")) == {"rows": 1, "applied": True}
    ParkedRecord.objects.update(parked_at=int((time() - 2 * 86_400) * 1000))
    assert "1 rows were parked more than 1 days ago and would be purged." in run("purge", "--days", 1)
    assert "0 rows purged" in run("purge", "--days", 3, "--apply")
    assert "1 rows purged" in run("purge", "--days", 1, "--apply")
    assert OutboxRecord.objects.get().pk == ids[0]
    service.drain()
    assert service.bus.event_ids(service.topic, 1) == sent[:1]


def test_many_parked_rows_are_released_in_order(service: Service) -> None:
    sent = [service.emit(1) for _ in range(250)]
    park(service)
    assert "250 rows released" in run("release", "--all", "--apply")
    assert (service.waiting, ParkedRecord.objects.count()) == (250, 0)
    service.drain()
    assert service.ids(250) == sent


def test_a_stalled_outbox_is_reported_by_the_status_command_and_by_senders(
    service: Service,
) -> None:
    service.emit()
    assert json.loads(run("status", "--json"))["depth"] == 1
    OutboxRecord.objects.update(created=int((time() - 301) * 1000))
    with pytest.raises(CommandError, match="relay_events"):
        run("status")
    backlog._next_look.clear()
    with watched() as seen:
        service.emit()
        service.emit()
    (stalled,) = [event for event in seen if isinstance(event, OutboxStalled)]
    assert stalled.oldest > 300


def park(service: Service) -> None:
    """Park all rows, as a relay does with rows that Kafka refused."""
    names = [field.attname for field in OutboxRecord._meta.concrete_fields]
    for row in OutboxRecord.objects.all():
        values = {name: getattr(row, name) for name in names}
        now = int(time() * 1000)
        ParkedRecord.objects.create(code="POLICY_VIOLATION", reason="no", parked_at=now, **values)
        row.delete()
