"""
Routers and open transactions together decide which database's outbox gets an event. If a router fails, the default
database replaces the router's answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connections, transaction
from django.test import override_settings
from pytest_django import DjangoDbBlocker

from event_bus_kafka.models import OutboxRecord
from event_bus_kafka.outbox import database
from event_bus_kafka.outbox.availability import Outbox
from tests.support.direct import encoded
from tests.support.sqlite import on_sqlite

OUTBOX = Outbox(notify=lambda: False)


@pytest.fixture(autouse=True)
def aliases(tmp_path: Path, django_db_blocker: DjangoDbBlocker, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Set up two databases with an outbox."""
    monkeypatch.setattr(database, "_known", {})
    for name in ("default", "other"):
        (tmp_path / name).mkdir()
    with django_db_blocker.unblock(), on_sqlite(tmp_path / "default", "default"):
        with on_sqlite(tmp_path / "other", "other"):
            yield


def append() -> bool:
    return OUTBOX.append_if_available([encoded("t")], None, otherwise=lambda *_: pytest.fail("it left another way"))


def rows() -> dict[str, int]:
    return {alias: OutboxRecord.objects.using(alias).count() for alias in ("default", "other")}


class Apart:
    """A router that stores the outbox in the database `other`."""

    def db_for_write(self, model: Any, **_: Any) -> str | None:
        return "other" if model is OutboxRecord else None

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        return db == "other" if hints["model"]._meta.app_label == "event_bus_kafka" else None


class Undecided:
    """A router that raises an exception when it is asked for a database."""

    def db_for_write(self, model: Any, **_: Any) -> str:
        raise LookupError("no request")


class Astray:
    """A router that names a database that does not exist."""

    def db_for_write(self, model: Any, **_: Any) -> str:
        return "nowhere"


def test_a_row_goes_to_the_only_database_that_has_an_open_transaction() -> None:
    with transaction.atomic(using="other"):
        assert append()
    assert rows() == {"default": 0, "other": 1}


def test_a_row_is_written_to_the_routers_database_only_if_all_open_transactions_commit() -> None:
    with override_settings(DATABASE_ROUTERS=[f"{__name__}.Apart"]):
        with transaction.atomic():
            assert append()
            assert rows()["other"] == 0
        with suppress(KeyError), transaction.atomic():
            assert append()
            raise KeyError
        with transaction.atomic(), suppress(KeyError), transaction.atomic(using="other"):
            assert append()
            raise KeyError
    assert rows() == {"default": 0, "other": 1}


@pytest.mark.parametrize(
    ("router", "said"), [("Undecided", "raised"), ("Astray", "names 'nowhere', which is not in DATABASES")]
)
def test_the_default_database_is_used_and_the_reason_logged_if_the_router_fails(
    router: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    database._tell_of_router.cache_clear()
    with override_settings(DATABASE_ROUTERS=[f"{__name__}.{router}"]):
        assert append()
        assert append()
    assert rows() == {"default": 2, "other": 0}
    assert caplog.text.count(f"A database router {said}") == 1


def refusing(error: Exception) -> Callable[..., Any]:
    def refuse(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        if "WHERE 1 = 0" in sql:
            raise error
        return execute(sql, *arguments)

    return refuse


def test_the_default_database_is_used_in_place_of_a_read_only_database() -> None:
    refusal = OperationalError("attempt to write a readonly database")
    with suppress(KeyError), transaction.atomic(using="other"):
        with connections["other"].execute_wrapper(refusing(refusal)):
            assert append()
        raise KeyError
    assert rows() == {"default": 1, "other": 0}


@pytest.mark.parametrize("error", [OperationalError(1205, "Lock wait timeout"), RuntimeError("only SELECT")])
def test_a_lock_timeout_or_an_error_of_an_execute_wrapper_does_not_redirect_rows_to_the_default_database(
    error: Exception,
) -> None:
    with suppress(KeyError), transaction.atomic(using="other"):
        with connections["other"].execute_wrapper(refusing(error)):
            assert append()
        raise KeyError
    assert rows() == {"default": 0, "other": 0}


def test_a_non_default_database_is_checked_only_once_for_the_outbox_table() -> None:
    asked: list[str] = []

    def listen(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        asked.append(sql)
        return execute(sql, *arguments)

    for alias in ("default", "other"):
        asked.clear()
        for _ in range(2):
            with connections[alias].execute_wrapper(listen), transaction.atomic(using=alias):
                assert append()
        assert sum("WHERE 1 = 0" in sql for sql in asked) == (alias == "other")


def test_an_event_is_sent_after_the_commit_if_its_row_could_not_be_written() -> None:
    order: list[str] = []

    def guard(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        if "INTO" in sql:
            raise RuntimeError("only SELECT")
        return execute(sql, *arguments)

    def append_in_vain(name: str) -> None:
        with connections["default"].execute_wrapper(guard):
            assert OUTBOX.append_if_available([encoded("t")], None, lambda _, alias: order.append(f"{name} {alias}"))

    with transaction.atomic():
        with suppress(KeyError), transaction.atomic(using="other"):
            append_in_vain("sent")
            raise KeyError
        order.append("end")
    with suppress(KeyError), transaction.atomic():
        append_in_vain("rolled back")
        raise KeyError
    assert order == ["end", "sent default"]


def test_the_default_database_is_used_if_a_router_names_an_unknown_alias() -> None:
    with override_settings(DATABASE_ROUTERS=[f"{__name__}.Elsewhere"]):
        assert database.home() == "default"


class Elsewhere:
    def db_for_write(self, model: Any, **_: Any) -> str:
        return "nowhere"
