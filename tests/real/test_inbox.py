"""A receiver under ``once()`` has only one effect per event within the retention, on each database (case 43)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import attrs
import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import OperationalError, connections, transaction
from openedx_events.data import EventsMetadata
from pytest_django import DjangoDbBlocker

from event_bus_kafka import once
from event_bus_kafka.dead_letters.retention import purge_marks
from event_bus_kafka.models import InboxMark
from event_bus_kafka.telemetry.events import DuplicateSkipped
from tests.projects.process import PATIENCE
from tests.services.bus import CREATED
from tests.support.databases import connected, database_on
from tests.support.watching import watched

_numbers = count(1)
SERVERS = [pytest.param(name, marks=pytest.mark.real) for name in ("postgresql", "mariadb", "mysql")]


@pytest.fixture(params=[*SERVERS, "sqlite"], autouse=True)
def vendor(request: pytest.FixtureRequest, tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """
    Connect the default database. Each test runs four times: with databases on SQLite, PostgreSQL, MariaDB and MySQL.
    """
    if request.param == "sqlite":
        entry: dict[str, Any] = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "database")}
        entry["OPTIONS"] = {"timeout": PATIENCE}
        with django_db_blocker.unblock(), connected(entry, "default"):
            call_command("migrate", verbosity=0)
            yield
        return
    server = request.getfixturevalue(request.param)
    with database_on(server, f"inbox_{next(_numbers)}", django_db_blocker) as database:
        with database.connected("default"):
            yield


@attrs.define
class Service:
    """A service whose receiver creates a row."""

    then: Callable[[], object] = lambda: None

    @once
    def award(self, metadata: EventsMetadata, **_: Any) -> None:
        ContentType.objects.create(app_label="effect", model=str(uuid4()))
        self.then()

    @property
    def effects(self) -> int:
        return ContentType.objects.filter(app_label="effect").count()


def event() -> EventsMetadata:
    return EventsMetadata(event_type=CREATED)


def in_threads(work: Callable[[], None], number: int) -> list[threading.Thread]:
    def run() -> None:
        try:
            work()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    return threads


def ended(threads: list[threading.Thread]) -> bool:
    for thread in threads:
        thread.join(PATIENCE)
    return not any(thread.is_alive() for thread in threads)


def test_an_event_has_a_single_effect_although_it_is_delivered_twice() -> None:
    service, one = Service(), event()
    with watched(DuplicateSkipped) as seen:
        service.award(metadata=one)
        service.award(metadata=one)
        assert service.effects == 1
        service.award(metadata=event())
        assert (service.effects, InboxMark.objects.count()) == (2, 2)
    assert [(skipped.event_type, skipped.event_id) for skipped in seen] == [(CREATED, str(one.id))]


def test_the_effect_and_the_inbox_mark_of_an_event_are_committed_together() -> None:
    service, one = Service(), event()

    def fail() -> None:
        assert (service.effects, InboxMark.objects.count()) == (1, 1)
        raise ZeroDivisionError

    service.then = fail
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            service.award(metadata=one)
        assert (service.effects, InboxMark.objects.count()) == (0, 0)
    service.then = lambda: None
    service.award(metadata=one)
    assert (service.effects, InboxMark.objects.count()) == (1, 1)


def test_a_duplicate_does_not_roll_back_the_surrounding_transaction() -> None:
    service, one = Service(), event()
    with transaction.atomic():
        for _ in range(3):
            service.award(metadata=one)
        ContentType.objects.create(app_label="effect", model="after")
    assert service.effects == 2


@pytest.mark.parametrize("failures", [0, 1])
def test_only_one_of_several_concurrent_duplicates_has_an_effect(failures: int) -> None:
    """
    The first duplicate waits until all duplicates have started. If it fails, the other duplicates may end with the
    error of a deadlock. The test delivers such duplicates again.
    """
    started, ran = count(1), count(1)
    all_started = threading.Event()

    def then() -> None:
        assert all_started.wait(PATIENCE)
        if next(ran) <= failures:
            raise ZeroDivisionError

    service, one = Service(then), event()
    ends: list[str] = []
    lost: list[str] = []

    def receive() -> None:
        if next(started) == 6:
            all_started.set()
        while True:
            try:
                service.award(metadata=one)
                return ends.append("done")
            except ZeroDivisionError:
                return ends.append("failed")
            except OperationalError as error:
                lost.append(str(error).lower())

    assert ended(in_threads(receive, 6))
    assert sorted(ends) == ["done"] * (6 - failures) + ["failed"] * failures
    assert all("deadlock" in error for error in lost), lost
    assert (service.effects, InboxMark.objects.count()) == (1, 1)


def test_a_duplicate_has_an_effect_again_if_it_arrives_after_the_retention() -> None:
    service, old, new = Service(), event(), event()
    service.award(metadata=old)
    InboxMark.objects.update(marked_at=datetime.now(UTC) - timedelta(days=91))
    service.award(metadata=new)
    assert purge_marks(90) == 1
    assert InboxMark.objects.get().event_id == new.id
    for one in (old, new):
        service.award(metadata=one)
    assert service.effects == 3


@pytest.mark.parametrize("vendor", SERVERS, indirect=True)  # SQLite allows one writer at a time
def test_expired_inbox_marks_are_deleted_while_receivers_run() -> None:
    before = datetime.now(UTC) - timedelta(days=91)
    InboxMark.objects.bulk_create(
        InboxMark(id=uuid4(), receiver="r", event_id=uuid4(), marked_at=before) for _ in range(1_500)
    )
    running, deleted = threading.Event(), threading.Event()

    def then() -> None:
        running.set()
        assert deleted.wait(PATIENCE)

    service = Service(then)
    threads = in_threads(lambda: service.award(metadata=event()), 1)
    assert running.wait(PATIENCE)
    try:
        assert purge_marks(90) == 1_500
    finally:
        deleted.set()
    assert ended(threads)
    assert (service.effects, InboxMark.objects.count()) == (1, 1)
