"""``deliver()`` calls receivers with an event in the same way as a worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
from edx_django_utils.cache import RequestCache
from openedx_events.data import EventsMetadata
from openedx_events.learning.signals import CERTIFICATE_CREATED, CERTIFICATE_REVOKED
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka import is_replay, record_deleted, send_tombstone
from event_bus_kafka.errors import IncompatibleSchema, ReceiversFailed, SerializationError
from event_bus_kafka.testing import assert_schema_unchanged, captured_events, deliver
from event_bus_kafka.wire.records import ConsumerRecord
from tests.services.bus import CREATED
from tests.support.examples_of import COURSE, certificate
from tests.support.signals import EVENT_TYPE, grade, graded

Heard = list[dict[str, Any]]


@contextmanager
def receiving(signal: OpenEdxPublicSignal, receiver: Callable[..., Any]) -> Iterator[None]:
    signal.connect(receiver)
    try:
        yield
    finally:
        signal.disconnect(receiver)


@pytest.fixture
def heard() -> Iterator[Heard]:
    """Return a list. A connected receiver of certificates appends the arguments of each call to this list."""
    heard: Heard = []

    def hear(**arguments: Any) -> None:
        heard.append(arguments)

    with receiving(CERTIFICATE_CREATED, hear):
        yield heard


def test_receivers_get_the_arguments_that_a_worker_passes(heard: Heard) -> None:
    metadata = EventsMetadata(event_type=CREATED, source="openedx/lms/web", minorversion=3)
    event = deliver(CERTIFICATE_CREATED, metadata=metadata, certificate=certificate(0, grade=""))
    (got,) = heard
    assert got == {
        "signal": CERTIFICATE_CREATED,
        "sender": None,
        "metadata": metadata,
        "from_event_bus": True,
        "certificate": certificate(0, grade=""),
    }
    assert event.data == {"certificate": certificate(0, grade="")}


def test_deliver_accepts_an_event_type_and_plain_values(heard: Heard) -> None:
    def hear(**arguments: Any) -> None:
        heard.append(arguments)

    with graded(user=int) as signal, receiving(signal, hear):
        deliver(EVENT_TYPE, grade={"user": 7})
        assert heard[0]["grade"] == grade(signal, user=7)


def test_the_function_is_replay_returns_true_if_deliver_gets_the_argument_replay() -> None:
    told: list[bool] = []

    def ask(**_: Any) -> None:
        told.append(is_replay())

    with receiving(CERTIFICATE_CREATED, ask):
        deliver(CERTIFICATE_CREATED, certificate=certificate(7))
        deliver(CERTIFICATE_CREATED, certificate=certificate(7), replay=True)
    assert told == [False, True]


def test_deliver_passes_a_captured_event_to_receivers_unchanged(heard: Heard, settings: Any) -> None:
    settings.EVENT_BUS_PRODUCER_CONFIG = {
        CREATED: {"certificates": {"event_key_field": "certificate.user.id", "enabled": True}}
    }
    with captured_events() as events:
        CERTIFICATE_CREATED.send_event(certificate=certificate(7))
        heard.clear()
        deliver(events[0])
        deliver(events[0].record)
        assert len(events) == 1
    assert [got["metadata"] for got in heard] == [events[0].metadata] * 2
    assert heard[0]["certificate"] == certificate(7)


def test_deliver_runs_all_receivers_and_names_each_receiver_that_failed(heard: Heard) -> None:
    def fail(**arguments: Any) -> None:
        raise ValueError("no such course")

    def fail_too(**arguments: Any) -> None:
        raise KeyError("x")

    with receiving(CERTIFICATE_CREATED, fail), receiving(CERTIFICATE_CREATED, fail_too):
        with pytest.raises(ReceiversFailed, match=r"fail, tests\.testing.+fail_too") as caught:
            deliver(CERTIFICATE_CREATED, certificate=certificate())
    assert [type(error) for error in caught.value.exceptions] == [ValueError, KeyError]
    assert len(heard) == 1


def test_request_caches_are_empty_before_and_after_a_delivery() -> None:
    seen: list[Any] = []

    def remember(**arguments: Any) -> None:
        seen.append(RequestCache("tests").get_cached_response("of the test").is_found)
        RequestCache("tests").set("of the receiver", 1)

    RequestCache("tests").set("of the test", 1)
    with receiving(CERTIFICATE_CREATED, remember):
        deliver(CERTIFICATE_CREATED, certificate=certificate())
    assert seen == [False]
    assert not RequestCache("tests").get_cached_response("of the receiver").is_found


def test_deliver_raises_without_a_connected_receiver() -> None:
    with captured_events(), pytest.raises(AssertionError, match="No receiver is connected"):
        deliver(CERTIFICATE_REVOKED, certificate=certificate())


def test_deliver_fails_for_a_disabled_signal(heard: Heard) -> None:
    CERTIFICATE_CREATED.disable()
    try:
        with pytest.raises(AssertionError, match="ENABLED_OPENEDX_EVENTS"):
            deliver(CERTIFICATE_CREATED, certificate=certificate())
    finally:
        CERTIFICATE_CREATED.enable()


def test_deliver_fails_for_an_unregistered_event_type() -> None:
    with pytest.raises(ValueError, match=r"No signal of type 'org\.example\.unknown\.v1' is registered"):
        deliver("org.example.unknown.v1", certificate=certificate())


def test_receivers_of_deletions_get_the_arguments_that_a_worker_passes(settings: Any) -> None:
    settings.EVENT_BUS_TOPIC_PREFIX = "prod"
    deleted: Heard = []

    def hear(**arguments: Any) -> None:
        deleted.append(arguments)

    with pytest.raises(AssertionError, match="No receiver is connected to the signal of record_deleted"):
        deliver(record_deleted, topic="certificates", key=7)
    with receiving(record_deleted, hear):
        with captured_events() as events:
            send_tombstone(CERTIFICATE_CREATED, "certificates", 7)
            deliver(events[0])
        for key in (7, COURSE, "honor", True):
            deliver(record_deleted, topic="certificates", key=key)
    assert [got["key"] for got in deleted] == [7, 7, str(COURSE), "honor", True]
    assert {got["topic"] for got in deleted} == {"certificates"}
    assert deleted[0]["metadata"] == events[0].metadata
    assert len({got["metadata"].id for got in deleted}) == 5


def test_delivering_a_tombstone_without_a_key_fails(heard: Heard) -> None:
    with pytest.raises(AssertionError, match="tombstone"):
        deliver(ConsumerRecord(topic="t", partition=0, offset=0, timestamp=None, key=None, value=None, headers=()))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({}, "field certificate: missing"),
        ({"certificate": certificate(), "other": 1}, "field other: no argument of the signal"),
        ({"certificate": attrs.evolve(certificate(), grade=1)}, "field certificate.grade: expected str, got int"),
    ],
)
def test_deliver_fails_if_the_data_does_not_match_the_signal(heard: Heard, data: dict[str, Any], reason: str) -> None:
    with pytest.raises(SerializationError, match=reason):
        deliver(CERTIFICATE_CREATED, **data)


# Services with another schema


@pytest.fixture
def before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the schema file of a service with an older version of the class."""
    path = tmp_path / "graded.avsc"
    with graded(user=int) as signal, monkeypatch.context() as environment:
        environment.setenv("EVENT_BUS_KAFKA_UPDATE_SCHEMAS", "1")
        assert_schema_unchanged(signal, path)
    return path


@pytest.mark.parametrize("plain", [True, False])
def test_receivers_get_defaults_for_fields_that_the_older_schema_of_an_event_lacks(
    heard: Heard, before: Path, plain: bool
) -> None:
    def hear(**arguments: Any) -> None:
        heard.append(arguments)

    with graded(user=int, passed=(bool, False)) as signal, receiving(signal, hear):
        old = {"user": 7} if plain else grade(signal, user=7, passed=True)
        deliver(signal, schema=before, grade=old)
        assert heard[0]["grade"] == grade(signal, user=7, passed=False)


def test_deliver_names_a_field_whose_type_differs_from_the_older_schema(heard: Heard, before: Path) -> None:
    with graded(user=str) as signal, receiving(signal, heard.append):
        with pytest.raises(IncompatibleSchema, match=r"field grade\.user: the writer's long cannot be read as str"):
            deliver(signal, schema=before, grade={"user": 7})


def test_deliver_refuses_data_that_does_not_match_the_older_schema(heard: Heard, before: Path) -> None:
    with graded(user=int) as signal, receiving(signal, heard.append):
        with pytest.raises(SerializationError, match="user is <seven> of type"):
            deliver(signal, schema=before, grade={"user": "seven"})


def test_deliver_reads_a_record_of_another_process_with_the_given_schema(heard: Heard, before: Path) -> None:
    def hear(**arguments: Any) -> None:
        heard.append(arguments)

    headers = (("ce_type", EVENT_TYPE.encode()), ("ce_id", b"12345678-1234-5678-1234-567812345678"))
    value = b"\x00\x00\x00\x12\x34\x0e"
    record = ConsumerRecord(topic="t", partition=0, offset=0, timestamp=None, key=None, value=value, headers=headers)
    with graded(user=int) as signal, receiving(signal, hear):
        deliver(record, schema=before)
        assert heard[0]["grade"] == grade(signal, user=7)


def test_deliver_refuses_a_record_together_with_data(heard: Heard) -> None:
    record = ConsumerRecord(topic="t", partition=0, offset=0, timestamp=None, key=None, value=b"", headers=())
    with pytest.raises(TypeError, match="already"):
        deliver(record, certificate=certificate())
