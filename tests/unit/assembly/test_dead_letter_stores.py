"""
By default, dead letters are stored in the database. If the database has no table for dead letters, they are stored on a
topic.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db import connections
from django.test import modify_settings, override_settings
from pytest_django import DjangoDbBlocker

from event_bus_kafka.assembly import dead_letter_stores
from event_bus_kafka.assembly.dead_letter_stores import store_for
from event_bus_kafka.dead_letters.table_store import TableStore
from event_bus_kafka.dead_letters.topic_store import TopicStore
from event_bus_kafka.models import DeadLetter, presence
from tests.support.databases import connected
from tests.support.sqlite import on_sqlite


@pytest.fixture(autouse=True)
def nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "_found", set())


def test_dead_letters_are_stored_in_the_database_even_if_it_is_unreachable_at_the_start(
    tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    """
    If the dead letters were stored on a topic, nobody would notice them, because operators expect them in the database.
    """
    away = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "missing" / "database")}
    with django_db_blocker.unblock(), connected(away, "default"):
        assert isinstance(store_for("g"), TableStore)


def test_dead_letters_are_stored_on_a_topic_if_there_is_no_database_table(
    tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    with django_db_blocker.unblock(), on_sqlite(tmp_path, "default"):
        assert isinstance(store_for("g"), TableStore)
        with modify_settings(INSTALLED_APPS={"remove": "event_bus_kafka"}):
            assert isinstance(store_for("g"), TopicStore)
        with connections["default"].schema_editor() as editor:
            editor.delete_model(DeadLetter)
        assert isinstance(store_for("g"), TopicStore)


def test_c8_the_producer_of_dead_letters_has_a_queue_of_one_gibibyte_and_sends_at_once_by_default() -> None:
    """
    A letter larger than the maximal size of the producer's queue would wait for room for ever, even if the queue is
    empty.
    """
    with override_settings(EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS="kafka:9092"):
        options = dead_letter_stores._producer_options()
        assert (options["queue.buffering.max.kbytes"], options["linger.ms"]) == (1_048_576, 0)
        with override_settings(EVENT_BUS_KAFKA_PRODUCER_OPTIONS={"linger.ms": 7}):
            assert dead_letter_stores._producer_options()["linger.ms"] == 7
