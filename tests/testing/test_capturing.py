"""
The testing kit captures a service's events in the form in which Kafka would get them. If an event cannot be sent, or
would arrive incomplete, the emitting code gets an exception.
"""

from __future__ import annotations

import threading
from typing import Any

import attrs
import pytest
from django.db import connection, transaction
from django.test import TestCase, override_settings
from openedx_events.data import EventsMetadata
from openedx_events.learning.data import CertificateData
from openedx_events.learning.signals import CERTIFICATE_CREATED, CERTIFICATE_REVOKED
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka import record_deleted, send_tombstone
from event_bus_kafka.testing import CapturedEvents, UnsendableEvent, captured_events
from event_bus_kafka.testing.commits import State
from tests.services.bus import CREATED, REVOKED
from tests.support.examples_of import COURSE, certificate
from tests.testing.conftest import ENTRY


def test_a_captured_event_equals_the_event_that_kafka_would_get(events: CapturedEvents, settings: Any) -> None:
    settings.EVENT_BUS_TOPIC_PREFIX = "prod"
    CERTIFICATE_CREATED.send_event(certificate=certificate(7, grade=""))
    (event,) = events
    assert (event.event_type, event.topic, event.key) == (CREATED, "certificates", 7)
    assert event.data == {"certificate": certificate(7, grade="")}
    assert event.metadata.event_type == CREATED
    assert event.record.topic == "prod-certificates"
    assert event.record.key is not None
    assert event.record.key[5:] == b"\x0e"
    assert dict(event.record.headers)["ce_id"] == str(event.metadata.id).encode()


def test_the_key_of_a_captured_event_is_the_value_of_the_key_field(events: CapturedEvents, settings: Any) -> None:
    settings.EVENT_BUS_PRODUCER_CONFIG = {
        CREATED: {"certificates": ENTRY | {"event_key_field": "certificate.course.course_key"}}
    }
    CERTIFICATE_CREATED.send_event(certificate=certificate())
    assert events.assert_sent(CERTIFICATE_CREATED, key=COURSE).key == COURSE


def test_a_tombstone_is_captured_as_a_deletion(events: CapturedEvents) -> None:
    CERTIFICATE_CREATED.send_event(certificate=certificate(7))
    send_tombstone(CERTIFICATE_CREATED, "certificates", 7)
    deleted = events.assert_sent(record_deleted, topic="certificates", key=7)
    assert (deleted.record.value, deleted.metadata.event_type) == (None, CREATED)
    assert deleted.record.key == events.assert_sent(CERTIFICATE_CREATED).record.key
    events.assert_not_sent(record_deleted, key=8)
    with pytest.raises(AssertionError, match="key: expected 8, got 7"):
        events.assert_sent(record_deleted, key=8)


def test_a_tombstone_counts_as_sent_only_if_the_transaction_commits(events: CapturedEvents, db: None) -> None:
    with pytest.raises(ValueError, match="undone"), transaction.atomic():
        send_tombstone(CERTIFICATE_CREATED, "certificates", 7)
        raise ValueError("undone")
    assert [event.state for event in events.unsent] == [State.ROLLED_BACK]
    with pytest.raises(AssertionError, match="rolled back"):
        events.assert_sent(record_deleted)


def test_capturing_raises_unsendable_event_for_a_tombstone_that_cannot_be_sent() -> None:
    for topic, key, reason in (("certificates", "seven", "expected int"), ("elsewhere", 7, "event_key_field")):
        with pytest.raises(UnsendableEvent, match=reason), captured_events():
            send_tombstone(CERTIFICATE_CREATED, topic, key)
    with captured_events() as events, pytest.raises(AssertionError, match="send_tombstone was not called"):
        events.assert_sent(record_deleted)


def test_an_event_is_captured_separately_for_each_enabled_topic(events: CapturedEvents, settings: Any) -> None:
    settings.EVENT_BUS_PRODUCER_CONFIG = {
        CREATED: {"a": ENTRY, "b": ENTRY | {"enabled": False}, "c": ENTRY | {"event_key_field": "certificate.mode"}}
    }
    CERTIFICATE_CREATED.send_event(certificate=certificate(7))
    assert [(event.topic, event.key) for event in events] == [("a", 7), ("c", "honor")]


@pytest.mark.parametrize("producer", [None, "event_bus_kafka.create_producer", "no.such.module"])
def test_capturing_does_not_depend_on_the_producer_setting(settings: Any, producer: str | None) -> None:
    settings.EVENT_BUS_PRODUCER = producer
    with captured_events() as events:
        CERTIFICATE_CREATED.send_event(certificate=certificate())
    assert len(events) == 1


def test_settings_can_change_while_events_are_captured(events: CapturedEvents) -> None:
    with override_settings(EVENT_BUS_PRODUCER_CONFIG={REVOKED: {"revocations": ENTRY}}, EVENT_BUS_PRODUCER=None):
        CERTIFICATE_REVOKED.send_event(certificate=certificate())
        CERTIFICATE_CREATED.send_event(certificate=certificate())
    assert [event.event_type for event in events] == [REVOKED]


def test_receivers_of_signals_are_restored_after_capturing(settings: Any) -> None:
    def receivers() -> list[int]:
        return [len(signal.receivers) for signal in OpenEdxPublicSignal.all_events()]

    before = receivers()
    with captured_events() as outer:
        with captured_events() as inner:
            CERTIFICATE_CREATED.send_event(certificate=certificate(1))
        CERTIFICATE_CREATED.send_event(certificate=certificate(2))
    assert receivers() == before
    settings.EVENT_BUS_PRODUCER_CONFIG = {}
    CERTIFICATE_CREATED.send_event(certificate=certificate(3))
    assert [event.key for event in inner] == [1]
    assert [event.key for event in outer] == [2]


def test_an_event_is_not_captured_if_it_was_received_from_the_bus(events: CapturedEvents) -> None:
    CERTIFICATE_CREATED.send_event_with_custom_metadata(EventsMetadata(event_type=CREATED), certificate=certificate())
    events.assert_not_sent()
    with pytest.raises(AssertionError, match="It was not emitted"):
        events.assert_sent(CERTIFICATE_CREATED)


# Events that would be lost


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"grade": 0.9}, "field certificate.grade: expected str, got float"),
        ({"course": None}, "field certificate.course"),
    ],
)
def test_emitting_a_value_of_the_wrong_type_raises_unsendable_event_immediately(
    changes: dict[str, Any], reason: str
) -> None:
    reached = []
    with pytest.raises(UnsendableEvent, match=reason) as caught, captured_events():
        CERTIFICATE_CREATED.send_event(certificate=certificate(**changes))
        reached.append(True)
    assert not reached
    assert (caught.value.event_type, caught.value.topic) == (CREATED, "certificates")


def test_emitting_an_event_raises_unsendable_event_if_its_key_field_does_not_exist(settings: Any) -> None:
    settings.EVENT_BUS_PRODUCER_CONFIG = {CREATED: {"certificates": ENTRY | {"event_key_field": "certificate.id"}}}
    with pytest.raises(UnsendableEvent, match=r"event_key_field 'certificate\.id' fails at 'id'"), captured_events():
        CERTIFICATE_CREATED.send_event(certificate=certificate())


@attrs.frozen
class SignedCertificate(CertificateData):  # type: ignore[misc]  # openedx-events is untyped
    """A class of certificates with a field that is missing in the schema."""

    signature: str = attrs.field(kw_only=True)


def test_emitting_raises_an_error_if_a_value_of_the_event_would_not_reach_receivers() -> None:
    signed = SignedCertificate(**attrs.asdict(certificate(), recurse=False), signature="S")
    lost = r"certificate\.signature was 'S' and arrives as nothing"
    with pytest.raises(UnsendableEvent, match=lost), captured_events():
        CERTIFICATE_CREATED.send_event(certificate=signed)


def test_an_error_that_the_service_caught_is_raised_again_at_the_end_of_capturing() -> None:
    with pytest.raises(UnsendableEvent, match=r"certificate\.grade"):
        with captured_events() as events:
            thread = threading.Thread(target=_send_in_vain)
            thread.start()
            thread.join()
            with pytest.raises(UnsendableEvent):
                events.assert_not_sent(CERTIFICATE_CREATED)
            with pytest.raises(UnsendableEvent):
                events.assert_sent(CERTIFICATE_CREATED)


def _send_in_vain() -> None:
    try:
        CERTIFICATE_CREATED.send_event(certificate=certificate(grade=1))  # type: ignore[arg-type]
    except BaseException:  # noqa: BLE001 as code of a service may do
        return


# Transactions


@pytest.mark.django_db
def test_an_event_in_a_test_case_counts_as_sent_after_its_atomic_block(
    events: CapturedEvents,
) -> None:
    with transaction.atomic():
        CERTIFICATE_CREATED.send_event(certificate=certificate(1))
        assert [event.state for event in events.unsent] == [State.PENDING]
        events.assert_not_sent()
    events.assert_sent(CERTIFICATE_CREATED, key=1)
    assert events.unsent == []


@pytest.mark.django_db
def test_an_event_in_a_test_case_counts_as_sent_immediately_outside_atomic_blocks(events: CapturedEvents) -> None:
    CERTIFICATE_CREATED.send_event(certificate=certificate(1))
    events.assert_sent(CERTIFICATE_CREATED)


@pytest.mark.django_db
def test_an_event_does_not_count_as_sent_if_its_block_rolls_back(events: CapturedEvents) -> None:
    with transaction.atomic():
        CERTIFICATE_CREATED.send_event(certificate=certificate(1))
        with pytest.raises(RuntimeError), transaction.atomic():
            CERTIFICATE_CREATED.send_event(certificate=certificate(2))
            raise RuntimeError
    assert [event.key for event in events] == [1]
    assert [(event.key, event.state) for event in events.unsent] == [(2, State.ROLLED_BACK)]


@pytest.mark.django_db
def test_an_event_does_not_count_as_sent_if_an_outer_block_rolls_back(
    events: CapturedEvents,
) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        with transaction.atomic():
            CERTIFICATE_CREATED.send_event(certificate=certificate(1))
        raise RuntimeError
    events.assert_not_sent()


@pytest.mark.django_db
def test_an_event_does_not_count_as_sent_if_its_block_without_savepoint_fails(events: CapturedEvents) -> None:
    with pytest.raises(RuntimeError), transaction.atomic(savepoint=False):
        CERTIFICATE_CREATED.send_event(certificate=certificate(1))
        raise RuntimeError
    assert [event.state for event in events.unsent] == [State.ROLLED_BACK]


@pytest.mark.django_db(databases=["default", "other"])
def test_an_event_counts_as_unsent_if_a_block_of_another_database_rolls_back(events: CapturedEvents) -> None:
    with transaction.atomic(using="default"):
        with pytest.raises(RuntimeError), transaction.atomic(using="other"):
            CERTIFICATE_CREATED.send_event(certificate=certificate(1))
            raise RuntimeError
    assert [event.state for event in events.unsent] == [State.ROLLED_BACK]


@pytest.mark.django_db(databases=["default", "other"])
def test_the_transaction_of_the_configured_database_decides_whether_an_event_counts_as_sent(
    events: CapturedEvents, settings: Any
) -> None:
    settings.EVENT_BUS_PRODUCER_CONFIG = {CREATED: {"certificates": ENTRY | {"database": "default"}}}
    with transaction.atomic(using="default"):
        with pytest.raises(RuntimeError), transaction.atomic(using="other"):
            CERTIFICATE_CREATED.send_event(certificate=certificate(1))
            raise RuntimeError
    events.assert_sent(CERTIFICATE_CREATED)


@pytest.mark.django_db
def test_an_event_of_a_rolled_back_block_counts_as_sent_in_mode_immediate(
    events: CapturedEvents, settings: Any
) -> None:
    settings.EVENT_BUS_PRODUCER_MODE = "immediate"
    with pytest.raises(RuntimeError), transaction.atomic():
        CERTIFICATE_CREATED.send_event(certificate=certificate(1))
        raise RuntimeError
    events.assert_sent(CERTIFICATE_CREATED)


@pytest.mark.django_db(databases=["default", "other"])
def test_an_event_counts_as_sent_in_mode_outbox_when_the_transaction_of_its_row_commits(
    events: CapturedEvents, settings: Any
) -> None:
    settings.EVENT_BUS_PRODUCER_MODE = "outbox"
    with pytest.raises(ZeroDivisionError), transaction.atomic(using="other"):
        with transaction.atomic():
            CERTIFICATE_CREATED.send_event(certificate=certificate(1))
        assert len(events) == 1, "the default database has committed, whether or not the other database will"
        raise ZeroDivisionError
    assert len(events) == 1
    with pytest.raises(ZeroDivisionError), transaction.atomic(using="other"):
        CERTIFICATE_CREATED.send_event(certificate=certificate(2))
        raise ZeroDivisionError
    with transaction.atomic(using="other"):
        CERTIFICATE_CREATED.send_event(certificate=certificate(3))
        assert len(events) == 1
    assert [event.key for event in events] == [1, 3]


@pytest.mark.django_db(transaction=True)
def test_real_commits_and_rollbacks_decide_whether_an_event_counts_as_sent(events: CapturedEvents) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        CERTIFICATE_CREATED.send_event(certificate=certificate(1))
        raise RuntimeError
    with transaction.atomic():
        CERTIFICATE_CREATED.send_event(certificate=certificate(2))
    assert [event.key for event in events] == [2]
    assert [event.state for event in events.unsent] == [State.ROLLED_BACK]


@pytest.mark.django_db(transaction=True)
def test_emitting_an_event_raises_unsendable_event_if_autocommit_is_off() -> None:
    connection.ensure_connection()
    transaction.set_autocommit(False)
    try:
        with pytest.raises(UnsendableEvent, match="autocommit switched off"), captured_events():
            CERTIFICATE_CREATED.send_event(certificate=certificate(1))
    finally:
        transaction.rollback()
        transaction.set_autocommit(True)


class TestInDjangosTestCase(TestCase):
    def test_an_event_counts_as_sent_in_a_unittest_case_that_never_commits(self) -> None:
        with captured_events() as events, transaction.atomic():
            CERTIFICATE_CREATED.send_event(certificate=certificate(1))
        events.assert_sent(CERTIFICATE_CREATED, certificate=certificate(1))

    def test_an_event_is_captured_once_inside_djangos_capture_on_commit_callbacks(self) -> None:
        with captured_events() as events, self.captureOnCommitCallbacks(execute=True):
            CERTIFICATE_CREATED.send_event(certificate=certificate(1))
        assert len(events) == 1
