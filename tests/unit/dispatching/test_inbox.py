"""
A receiver under ``once()`` stores a mark when it succeeds, and does not run again for the same event while the mark
exists. These tests cover the behaviour that does not depend on the database.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, connections
from django.dispatch import Signal, receiver
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from openedx_events.data import EventsMetadata
from openedx_events.learning.signals import CERTIFICATE_CREATED

from event_bus_kafka import once, record_deleted
from event_bus_kafka.dead_letters.retention import purge_marks
from event_bus_kafka.dispatching import inbox
from event_bus_kafka.dispatching.dispatch import Receiver
from event_bus_kafka.errors import ConfigurationError, ReceiversFailed
from event_bus_kafka.models import InboxMark, presence
from event_bus_kafka.telemetry.error_text import error_text
from event_bus_kafka.testing import deliver
from tests.services.bus import CREATED
from tests.support.examples_of import certificate

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "other"])

had: list[Any] = []
failing: list[Exception] = []
PLAIN = Signal()


@once
def award(certificate: Any, **_: Any) -> str:
    """Record the user of the certificate."""
    had.append(certificate.user.id)
    return "awarded"


@once(using="other")
def drop(key: Any, **_: Any) -> None:
    had.append(key)
    if failing:
        raise failing.pop()


@once
def note(certificate: Any, **_: Any) -> None:
    had.append(-certificate.user.id)


@pytest.fixture(autouse=True)
def connected() -> Iterator[None]:
    had.clear()
    CERTIFICATE_CREATED.connect(award)
    record_deleted.connect(drop)
    PLAIN.connect(award)
    yield
    CERTIFICATE_CREATED.disconnect(award)
    record_deleted.disconnect(drop)


def test_the_once_decorator_preserves_the_name_and_signature_and_return_value_of_a_receiver() -> None:
    assert Receiver(award).name == f"{__name__}.award"
    assert list(inspect.signature(award).parameters) == ["certificate", "_"]
    metadata = EventsMetadata(event_type=CREATED)
    assert [award(certificate=certificate(7), metadata=metadata) for _ in range(2)] == ["awarded", None]
    assert InboxMark.objects.get().receiver == f"{__name__}.award"
    with CaptureQueriesContext(connection) as queries:
        award(certificate=certificate(7), metadata=metadata)
    assert not any("sqlite_master" in query["sql"] for query in queries)


def test_the_once_decorator_runs_a_receiver_a_single_time_for_a_repeated_event() -> None:
    metadata = EventsMetadata(event_type=CREATED)
    for _ in range(2):
        deliver(CERTIFICATE_CREATED, metadata=metadata, certificate=certificate(7))
    deliver(CERTIFICATE_CREATED, certificate=certificate(8))
    assert had == [7, 8]


def test_each_of_two_receivers_with_the_once_decorator_runs_a_single_time_per_event() -> None:
    metadata = EventsMetadata(event_type=CREATED)
    CERTIFICATE_CREATED.connect(note)
    try:
        for _ in range(2):
            deliver(CERTIFICATE_CREATED, metadata=metadata, certificate=certificate(7))
    finally:
        CERTIFICATE_CREATED.disconnect(note)
    assert had == [7, -7]


def test_a_receiver_with_the_once_decorator_runs_again_if_the_mark_is_deleted() -> None:
    metadata = EventsMetadata(event_type=CREATED)
    for _ in range(2):
        deliver(CERTIFICATE_CREATED, metadata=metadata, certificate=certificate(7))
        InboxMark.objects.filter(event_id=metadata.id).delete()
    assert had == [7, 7]


def test_the_once_decorator_stores_its_mark_in_the_given_database() -> None:
    metadata = EventsMetadata(event_type=CREATED)
    for _ in range(2):
        deliver(record_deleted, metadata=metadata, topic="t", key=7)
    assert had == [7]
    assert [InboxMark.objects.using(alias).count() for alias in ("default", "other")] == [0, 1]
    assert inbox.aliases() >= {"default", "other"}


def test_no_mark_is_stored_in_the_given_database_if_the_receiver_fails() -> None:
    metadata = EventsMetadata(event_type=CREATED)
    failing.append(KeyError())
    with pytest.raises(ReceiversFailed):
        deliver(record_deleted, metadata=metadata, topic="t", key=7)
    assert not InboxMark.objects.using("other").exists()
    deliver(record_deleted, metadata=metadata, topic="t", key=7)
    assert had == [7, 7]


def test_a_receiver_with_the_once_decorator_raises_if_a_signal_has_no_metadata() -> None:
    with pytest.raises(ConfigurationError, match=r"award is under once\(\), which needs the event's metadata"):
        PLAIN.send(sender=None, certificate=certificate(7))
    PLAIN.send(sender=None, certificate=certificate(7), metadata=EventsMetadata(event_type=CREATED))
    assert had == [7]


def test_a_missing_inbox_table_raises_an_error_that_asks_to_migrate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "_found", set())
    with connections["other"].schema_editor() as editor:
        editor.delete_model(InboxMark)
    try:
        with pytest.raises(ReceiversFailed) as caught:
            deliver(record_deleted, topic="t", key=7)
        text = error_text(caught.value)  # the error in the log and in dead letters
        assert f"receiver {__name__}.drop raised ConfigurationError: The inbox is missing in database 'other'" in text
        assert "run manage.py migrate --database other" in text
        assert purge_marks(90) == 0  # nothing is deleted from a table that does not exist
    finally:
        with connections["other"].schema_editor() as editor:
            editor.create_model(InboxMark)
    deliver(record_deleted, topic="t", key=7)
    assert had == [7]


def test_the_once_decorator_raises_when_the_app_is_not_installed() -> None:
    with override_settings(INSTALLED_APPS=["openedx_events"]):
        with pytest.raises(ConfigurationError, match="needs 'event_bus_kafka' in INSTALLED_APPS"):
            award(certificate=certificate(7), metadata=EventsMetadata(event_type=CREATED))


async def later(**_: Any) -> None: ...


@pytest.mark.parametrize(
    ("wrong", "reason"), [(later, "async"), (lambda **_: None, "have a name"), (partial(print), "have a name")]
)
def test_the_once_decorator_refuses_coroutine_functions_and_callables_without_a_stable_name(
    wrong: Callable[..., Any], reason: str
) -> None:
    with pytest.raises(TypeError, match=reason):
        once(wrong)


@once
def returns_a_coroutine(**arguments: Any) -> Any:
    """Return a coroutine, as an async function under a synchronous decorator does."""
    return later(**arguments)


def test_c10_a_receiver_that_returns_a_coroutine_fails_and_leaves_no_mark() -> None:
    CERTIFICATE_CREATED.connect(returns_a_coroutine)
    try:
        with pytest.raises(ReceiversFailed) as caught:
            deliver(CERTIFICATE_CREATED, certificate=certificate(7))
    finally:
        CERTIFICATE_CREATED.disconnect(returns_a_coroutine)
    assert "ReceiverNotRun: it returned a coroutine" in error_text(caught.value)
    assert InboxMark.objects.get().receiver == f"{__name__}.award"


def test_the_once_decorator_is_refused_above_the_receiver_decorator() -> None:
    def bare(**_: Any) -> None: ...

    for signal in (CERTIFICATE_CREATED, record_deleted):
        with pytest.raises(TypeError, match=r"write @once below @receiver"):
            once(receiver(signal)(bare))
        signal.disconnect(bare)


def test_makemigrations_finds_no_changes() -> None:
    call_command("makemigrations", "event_bus_kafka", check=True, dry_run=True, skip_checks=True)
