"""
A tombstone has the same key as the events that it deletes. A worker passes tombstones to the receivers of
``record_deleted``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from uuid import UUID

import attrs
import pytest
from django.test import override_settings
from openedx_events.data import EventsMetadata
from openedx_events.event_bus import get_producer
from openedx_events.learning.signals import CERTIFICATE_CREATED

from event_bus_kafka import record_deleted, send_tombstone
from event_bus_kafka.conf.policies import RETRY_DEFAULTS
from event_bus_kafka.conf.routes import short_topic
from event_bus_kafka.consuming.processor import Processor
from event_bus_kafka.consuming.progress import Delivery, PartitionProgress
from event_bus_kafka.dead_letters.letter import Letter
from event_bus_kafka.dispatching.outcomes import DONE, Retry
from event_bus_kafka.dispatching.retry import RetryPolicies
from event_bus_kafka.telemetry.events import EventRejected, RecordDone, RecordReceived, RecordSkipped
from event_bus_kafka.wire import serde
from event_bus_kafka.wire.records import ConsumerRecord, Event, Headers
from tests.services.bus import CREATED
from tests.support.examples_of import COURSE, certificate
from tests.support.received import FRAME, HEADERS, Registry
from tests.support.signals import grade, graded
from tests.support.watching import watched

KEYS = Registry('{"name": "course_key", "type": "string"}')
KEY = FRAME + b"\x06a+b"
Heard = list[dict[str, Any]]


@attrs.define
class Letters:
    kept: list[Letter] = attrs.field(factory=list)

    def store(self, letter: Letter) -> None:
        self.kept.append(letter)


def tombstone(
    headers: Headers = HEADERS, *, key: bytes | None = KEY, offset: int = 7, timestamp: int = 1_000
) -> ConsumerRecord:
    return ConsumerRecord(
        topic="prod-t", partition=0, offset=offset, timestamp=timestamp, key=key, value=None, headers=headers
    )


def processed(record: ConsumerRecord, *, letters: Letters | None = None, **retry: Any) -> tuple[Any, Delivery]:
    policies = RetryPolicies.of(RETRY_DEFAULTS, {"record_deleted": retry} if retry else {})
    processor = Processor(
        group="g", registry=KEYS, policies=policies, dead_letters=letters or Letters(), short_topic=short_topic
    )
    delivery = Delivery.of(record, PartitionProgress(record.topic, 0))
    return processor.process(delivery), delivery


@contextmanager
def hearing(*receivers: Callable[..., Any]) -> Iterator[None]:
    with ExitStack() as stack:
        for receiver in receivers:
            record_deleted.connect(receiver)
            stack.callback(record_deleted.disconnect, receiver)
        yield


@pytest.fixture
def heard() -> Iterator[Heard]:
    """Return a list. A receiver of deletions appends the arguments of each call to this list."""
    heard: Heard = []

    def hear(**arguments: Any) -> None:
        heard.append(arguments)

    with hearing(hear):
        yield heard


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("certificate.course.course_key", [COURSE, str(COURSE)]),
        ("certificate.user.id", [7]),
        ("certificate.mode", ["honor"]),
    ],
)
def test_the_key_of_a_tombstone_equals_the_key_of_the_event_byte_for_byte(path: str, values: list[Any]) -> None:
    metadata = EventsMetadata(event_type=CREATED)
    event = Event(signal=CERTIFICATE_CREATED, data={"certificate": certificate(7)}, metadata=metadata)
    sent = serde.encode(event, topic="t", key_field=path)
    for value in values:
        deleted = serde.encode_tombstone(CERTIFICATE_CREATED, value, metadata, topic="t", key_field=path)
        assert (deleted.key, deleted.headers, deleted.value) == (sent.key, sent.headers, None)
        assert deleted.destination == sent.destination
        framed, sent_record = serde.frame(deleted, KEYS), serde.frame(sent, KEYS)
        assert (framed.key, framed.value) == (sent_record.key, None)
        framer = serde.Framer(KEYS)
        for _ in range(2):
            assert (framer.record_of(deleted), framer.record_of(sent)) == (framed, sent_record)


def test_a_tombstone_has_the_same_key_for_a_uuid_and_for_its_text() -> None:
    program = UUID("12345678-1234-5678-1234-567812345678")
    with graded(program=UUID) as signal:
        metadata = signal.generate_signal_metadata()
        event = Event(signal=signal, data={"grade": grade(signal, program=program)}, metadata=metadata)
        sent = serde.encode(event, topic="t", key_field="grade.program")
        for value in (program, str(program)):
            deleted = serde.encode_tombstone(signal, value, metadata, topic="t", key_field="grade.program")
            assert deleted.key == sent.key


@pytest.mark.parametrize(
    ("topic", "key", "reason"),
    [
        ("certificates", "seven", "expected int, got str"),
        ("certificates", None, "expected int, got NoneType"),
        ("elsewhere", 7, "needs 'event_key_field'"),
        ("off", "seven", ""),
    ],
)
def test_a_tombstone_that_cannot_be_sent_is_rejected_unless_its_topic_is_disabled(
    topic: str, key: Any, reason: str
) -> None:
    entry = {"event_key_field": "certificate.user.id", "enabled": True}
    config = {CREATED: {"certificates": entry, "off": entry | {"enabled": False}}}
    with override_settings(EVENT_BUS_PRODUCER_CONFIG=config), watched(EventRejected) as seen:
        send_tombstone(CERTIFICATE_CREATED, topic, key)
    assert [reason in str(event.error) for event in seen] == [True] * bool(reason)


def test_send_tombstone_logs_an_error_for_a_producer_of_another_package(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with override_settings(EVENT_BUS_PRODUCER="tests.unit.producing.test_tombstones.another_producer"):
        assert type(get_producer()).__name__ == "Another"
        send_tombstone(CERTIFICATE_CREATED, "certificates", 7)
    assert "set EVENT_BUS_PRODUCER to event_bus_kafka.create_producer" in caplog.text


def another_producer() -> Any:
    from openedx_events.event_bus import EventBusProducer

    class Another(EventBusProducer):  # type: ignore[misc]
        def send(self, **_: Any) -> None: ...

    return Another()


def test_a_tombstone_without_receivers_is_skipped() -> None:
    with watched(RecordSkipped) as seen:
        assert processed(tombstone((), key=b"not of this bus"))[0] is DONE
    assert [event.reason for event in seen] == ["tombstone"]


def test_a_tombstone_without_a_key_is_skipped(heard: Heard) -> None:
    with watched(RecordSkipped) as seen:
        assert processed(tombstone(key=None))[0] is DONE
    assert (heard, [event.reason for event in seen]) == ([], ["tombstone"])


@override_settings(EVENT_BUS_TOPIC_PREFIX="prod")
def test_receivers_of_deletions_get_the_topic_the_key_and_the_metadata(heard: Heard) -> None:
    with watched(RecordReceived, RecordDone) as seen:
        assert processed(tombstone())[0] is DONE
    (got,) = heard
    metadata = got.pop("metadata")
    assert got == {"signal": record_deleted, "sender": None, "from_event_bus": True, "topic": "t", "key": "a+b"}
    assert (metadata.event_type, str(metadata.id).encode()) == (CREATED, dict(HEADERS)["ce_id"])
    assert [event.event_type for event in seen] == ["record_deleted"] * 2


def test_a_tombstone_without_headers_has_an_id_that_depends_on_its_record(heard: Heard) -> None:
    for record in (tombstone(()), tombstone(()), tombstone((), offset=8)):
        assert processed(record)[0] is DONE
    first, again, other = (got["metadata"] for got in heard)
    assert first == again
    assert first.id != other.id
    made_anew = serde.metadata_of_tombstone(tombstone((), timestamp=2_000))
    assert made_anew.id != first.id, "of a topic that was deleted and made anew"
    assert (first.event_type, first.time.timestamp()) == ("", 1)


@pytest.mark.parametrize(
    "record",
    [tombstone(HEADERS[:1]), tombstone(HEADERS[1:]), tombstone(key=b"key"), tombstone(key=FRAME + b"\x08a")],
    ids=["no id", "no type", "no frame", "truncated"],
)
def test_an_unreadable_tombstone_becomes_a_dead_letter(heard: Heard, record: ConsumerRecord) -> None:
    letters = Letters()
    assert processed(record, letters=letters)[0] is DONE
    (letter,) = letters.kept
    assert (letter.record, letter.event_type, letter.failures[0].receiver) == (record, "record_deleted", "")
    assert heard == []


def test_only_the_failed_receiver_of_a_tombstone_is_retried_and_named_in_its_dead_letter(heard: Heard) -> None:
    def fail(**_: Any) -> None:
        raise ValueError

    with hearing(fail):
        outcome, delivery = processed(tombstone())
        assert isinstance(outcome, Retry)
        assert delivery.work is not None
        assert [receiver.call for receiver in delivery.work.past.waiting or []] == [fail]
        letters = Letters()
        assert processed(tombstone(), letters=letters, attempts=1)[0] is DONE
    (letter,) = letters.kept
    (failure,) = letter.failures
    assert failure.receiver.endswith("<locals>.fail")
    assert letter.event_id == dict(HEADERS)["ce_id"].decode()  # type: ignore[union-attr]
    assert len(heard) == 2
