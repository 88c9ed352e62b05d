"""Emitting an event costs the expected number of SQL statements on each database."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import transaction

from event_bus_kafka.models import OutboxRecord
from tests.support.outbox_service import Service
from tests.support.sqlite import on_sqlite
from tests.support.statements import asked

pytestmark = pytest.mark.real


@pytest.fixture
def service(service_anywhere: Service) -> Service:
    """
    Return a service whose process has emitted an event before the test. Its caches already contain tables and schemas.
    """
    service_anywhere.emit()
    return service_anywhere


def test_an_event_costs_one_insert_with_and_without_a_transaction(service: Service) -> None:
    with asked() as statements:
        with transaction.atomic():
            service.emit()
            service.emit(8)
            with transaction.atomic(savepoint=False):
                service.emit()
        service.emit()
    assert statements == ["INSERT"] * 4


def test_an_event_adds_one_sql_statement_to_a_request(service: Service) -> None:
    counts = []
    for emissions in (0, 1):
        with asked() as statements, transaction.atomic():
            ContentType.objects.create(app_label=f"row{emissions}", model="row")
            with transaction.atomic():
                for _ in range(emissions):
                    service.emit()
        counts.append(len(statements))
    assert counts[1] == counts[0] + 1


def test_a_bulk_of_events_costs_one_insert_per_five_hundred_events(service: Service) -> None:
    with asked() as statements, transaction.atomic():
        service.emit_many(1_001)
    assert statements == ["INSERT"] * 3


def test_send_many_opens_a_savepoint_if_it_needs_several_inserts(service: Service) -> None:
    with asked() as statements, transaction.atomic():
        service.emit_many(4, name=lambda _: "N" * 900_000)
    assert statements == ["SAVEPOINT", "INSERT", "INSERT", "RELEASE"]


def test_only_the_first_event_of_a_process_causes_queries_for_tables_and_schema(
    service_anywhere: Service,
) -> None:
    with transaction.atomic():
        with asked() as statements:
            service_anywhere.emit()
        assert statements[-5:] == ["SAVEPOINT", "SELECT", "INSERT", "RELEASE", "INSERT"]
        with asked() as statements:
            service_anywhere.emit()
    assert statements == ["INSERT"]


def test_a_non_default_database_is_checked_only_once_for_write_access(service: Service, tmp_path: Path) -> None:
    with on_sqlite(tmp_path, "second"):
        service.emit()  # the migration of the second database has cleared the cache of tables
        with transaction.atomic(using="second"):
            with asked("second") as statements:
                service.emit()
            assert statements[:3] == ["SAVEPOINT", "INSERT 0", "RELEASE"]
        for _ in range(2):
            with asked("second") as statements, asked() as others, transaction.atomic(using="second"):
                service.emit()
            assert statements == ["INSERT"]
            assert others == []
        with asked("second") as others, asked() as statements:
            with transaction.atomic(using="second"), transaction.atomic():
                service.emit()
        assert (statements, others) == (["INSERT"], [])
        assert OutboxRecord.objects.using("second").count() == 3
