"""What a worker's thread cleans up between events."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler
from edx_django_utils.cache import RequestCache
from pytest_django import DjangoDbBlocker

from event_bus_kafka.consuming import state


@pytest.fixture
def connection(tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[BaseDatabaseWrapper]:
    """Return a connection opened in this thread, at once too old."""
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": tmp_path / "database", "CONN_MAX_AGE": 0}
    wrapper: BaseDatabaseWrapper = ConnectionHandler({"default": database})["default"]
    with django_db_blocker.unblock():
        wrapper.connect()
        yield wrapper
        wrapper.close()


def test_a_connection_that_is_too_old_is_closed(connection: BaseDatabaseWrapper) -> None:
    state.clean()
    assert connection.connection is None


def test_a_connection_that_was_opened_again_is_closed_again(connection: BaseDatabaseWrapper) -> None:
    state.clean()
    connection.connect()
    state.clean()
    assert connection.connection is None


def test_connections_of_other_threads_are_left_alone(connection: BaseDatabaseWrapper) -> None:
    thread = Thread(target=state.clean)
    thread.start()
    thread.join()
    assert connection.connection is not None


def test_the_request_cache_is_emptied(django_db_blocker: DjangoDbBlocker) -> None:
    RequestCache("any").set("key", "value")
    with django_db_blocker.unblock():  # other tests may have left connections open in this thread
        state.clean()
    assert not RequestCache("any").get_cached_response("key").is_found
