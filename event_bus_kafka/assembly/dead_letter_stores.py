"""Chooses the store of a worker's dead letters, from the settings."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from importlib import import_module
from typing import Any

from django.apps import apps
from django.db import Error
from django.utils.module_loading import import_string

from event_bus_kafka.assembly.housekeeping import periodically
from event_bus_kafka.conf.client_options import Options, producer_options
from event_bus_kafka.conf.routes import full_topic
from event_bus_kafka.conf.settings import settings
from event_bus_kafka.dead_letters.letter import Store
from event_bus_kafka.dead_letters.topic_store import TopicStore
from event_bus_kafka.errors import ConfigurationError
from event_bus_kafka.kafka.producer import Producer
from event_bus_kafka.shown import logger_named

logger = logger_named(__name__)

_APP = "event_bus_kafka"
_DELIVERY_TIMEOUT = 10.0
"""Seconds within which Kafka must confirm a dead letter. After a failure, the worker stores the letter again later."""
_PRODUCER = {
    "message.max.bytes": 1_000_000_000,  # the topic's own limit decides
    "batch.num.messages": 1,  # Kafka refuses whole requests: one large letter must not affect others
    "queue.buffering.max.kbytes": 1_048_576,  # room for the largest letter; each lane sends one at a time
    "linger.ms": 0,
}
"""Default options of the producer for dead letters. The settings may override these options."""


def dead_letter_topic(group: str) -> str:
    """Return the full name of the topic for a group's dead letters."""
    return full_topic(f"{group}.dead-letters")


def goes_to_topic() -> bool:
    """Return whether dead letters go to topics. This depends on the settings and on the applied migrations."""
    return settings.dead_letters == "topic" or (settings.dead_letters == "auto" and bool(_why_no_table()))


def store_for(group: str) -> Store:
    """
    Return the store that ``EVENT_BUS_KAFKA_DEAD_LETTERS`` names.

    Raises :class:`ConfigurationError` if the store cannot be used.
    """
    choice = settings.dead_letters
    if choice == "auto":
        choice = _database_or_topic(group)
    if choice == "database":
        return _table_store()
    if choice == "topic":
        return TopicStore(dead_letter_topic(group), lambda: Producer(_producer_options()))
    return _custom_store(choice)


def keep_clean(store: Store, at_end: ExitStack) -> None:
    """
    Delete old inbox marks daily until ``at_end`` closes. If ``store`` is the table of dead letters, also delete old
    dead letters, entries of deleted dead letters, and replay requests.
    """
    if not apps.is_installed(_APP):
        return
    retention, in_table = (
        import_module("event_bus_kafka.dead_letters.retention"),
        isinstance(store, _table().TableStore),
    )
    purge = partial(retention.purge_all, settings.retention, history=settings.history, dead_letters=in_table)
    periodically(at_end, retention.DAILY, "Old dead letters or inbox marks were not deleted", purge)


def _producer_options() -> Options:
    given = {**settings.client_options, **settings.producer_options}
    return producer_options(_DELIVERY_TIMEOUT) | {name: one for name, one in _PRODUCER.items() if name not in given}


def _database_or_topic(group: str) -> str:
    missing = _why_no_table()
    if missing:
        logger.warning("Dead letters go to the topic %s: %s.", dead_letter_topic(group), missing)
    return "topic" if missing else "database"


def _why_no_table() -> str:
    return "the app event_bus_kafka is not in INSTALLED_APPS" if not apps.is_installed(_APP) else _missing_table()


def _table_store() -> Store:
    if not apps.is_installed(_APP):
        raise ConfigurationError("EVENT_BUS_KAFKA_DEAD_LETTERS = 'database' needs 'event_bus_kafka' in INSTALLED_APPS.")
    if missing := _missing_table():
        raise ConfigurationError(f"EVENT_BUS_KAFKA_DEAD_LETTERS = 'database', but {missing}.")
    store: Store = _table().TableStore()
    return store


def _missing_table() -> str:
    """
    Return the reason why the table cannot be used; empty: no reason was found. If the database does not answer, the
    table is assumed to exist.
    """
    try:
        return "" if _table().is_migrated() else "the table of dead letters is missing: run manage.py migrate"
    except Error:
        return ""


def _table() -> Any:
    return import_module("event_bus_kafka.dead_letters.table_store")  # imports models: only if the app is installed


def _custom_store(path: str) -> Store:
    try:
        store: Store = import_string(path)()
    except (ImportError, TypeError) as error:
        raise ConfigurationError(
            f"EVENT_BUS_KAFKA_DEAD_LETTERS = {path!r} is neither 'auto', 'database' nor 'topic', and no class that can "
            f"be used: {error}."
        ) from error
    if not callable(getattr(store, "store", None)):
        raise ConfigurationError(f"EVENT_BUS_KAFKA_DEAD_LETTERS = {path!r} has no method store(letter).")
    return store
