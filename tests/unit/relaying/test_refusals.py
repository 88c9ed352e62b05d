"""
If Kafka refuses a request, the rows of each key still arrive in order, and rows of other topics are not sent twice. Bad
rows are parked. The tests use the sandbox and SQLite.
"""

from __future__ import annotations

import pytest

from event_bus_kafka.errors import SchemaRegistryError
from event_bus_kafka.models import OutboxRecord, ParkedRecord
from event_bus_kafka.relaying import batch
from event_bus_kafka.telemetry import observe
from event_bus_kafka.telemetry.events import RelayInterrupted, TopicHeld, TopicResumed
from event_bus_kafka.telemetry.logs import LoggingObserver
from tests.support.outbox_service import until
from tests.support.relaying import Relaying
from tests.support.watching import nobody_else_observing, watched

_ROW_BY_ROW = "INVALID_RECORD"
_UNLISTED = "UNSUPPORTED_FOR_MESSAGE_FORMAT"


def drain(relaying: Relaying) -> None:
    until(lambda: not OutboxRecord.objects.exists(), step=relaying.relay.step)


@pytest.mark.parametrize("code", ["TOPIC_AUTHORIZATION_FAILED", _ROW_BY_ROW, "MSG_SIZE_TOO_LARGE", _UNLISTED])
def test_s8_rows_keep_their_order_when_a_request_is_refused(relaying: Relaying, code: str) -> None:
    """Each request has five records. Kafka refuses the second request."""
    relaying.options["batch.num.messages"] = 5
    relaying.renew()
    first = relaying.append("a")
    drain(relaying)
    sent = relaying.append(*["a"] * 100)
    relaying.sandbox.fail_next("Produce", code)
    drain(relaying)
    assert relaying.arrived("a", 101) == first + sent
    assert not ParkedRecord.objects.exists()


def test_s8_rows_keep_their_order_when_the_first_request_of_a_client_is_refused(relaying: Relaying) -> None:
    """
    Until a broker has accepted the first request of a producer, it accepts requests of this producer in any order.
    """
    relaying.options["batch.num.messages"] = 5
    relaying.renew()
    sent = relaying.append(*["a"] * 100)
    relaying.sandbox.fail_next("Produce", _UNLISTED)
    drain(relaying)
    assert relaying.arrived("a", 100) == sent


def test_a_held_topic_is_tried_again_with_a_separate_client(relaying: Relaying) -> None:
    """
    The client of the other topics has already reached all partitions of the held topic. The rows of the held topic must
    nevertheless use a different client.
    """
    first = relaying.append("a")
    drain(relaying)
    common = relaying.made[-1]
    relaying.topics["a"].hold(SchemaRegistryError("away", retriable=True))
    sent = relaying.append(*["a"] * 5)
    relaying.sandbox.fail_next("Produce", "TOPIC_AUTHORIZATION_FAILED")
    drain(relaying)
    assert relaying.arrived("a", 6) == first + sent
    assert common.failure is None


def test_s8_at_most_one_more_request_of_a_batch_is_accepted_after_a_refused_request(relaying: Relaying) -> None:
    """
    Each request has one row. After a refused request, a real broker also refuses the next request if it has accepted an
    earlier request of the producer. The sandbox accepts the next request.
    """
    relaying.options["batch.num.messages"] = 1
    relaying.renew()
    relaying.append("a")
    drain(relaying)
    relaying.append(*["a"] * 20)
    relaying.sandbox.fail_next("Produce", _ROW_BY_ROW)
    with relaying.sandbox.slow_brokers(0.3):
        relaying.relay.step()
    assert len(relaying.arrived("a", 3, seconds=1)) <= 1 + 1


def test_s8_rows_keep_their_order_when_the_retries_of_a_request_are_exhausted(relaying: Relaying) -> None:
    relaying.options |= {"batch.num.messages": 5, "retries": 1, "retry.backoff.ms": 1}
    relaying.renew()
    first = relaying.append("a")
    drain(relaying)
    sent = relaying.append(*["a"] * 60)
    relaying.sandbox.fail_next("Produce", "NOT_ENOUGH_REPLICAS", times=2)
    drain(relaying)
    assert relaying.arrived("a", 61) == first + sent


def test_s8_a_row_larger_than_the_default_message_size_is_sent_when_it_is_retried_alone(relaying: Relaying) -> None:
    relaying.options["message.max.bytes"] = 5_000_000  # as the topic allows
    relaying.renew()
    sent = relaying.append("a")
    OutboxRecord.objects.update(body=b"x" * 1_500_000, size=1_500_000)
    relaying.sandbox.fail_next("Produce", "TOPIC_AUTHORIZATION_FAILED")
    drain(relaying)
    assert not ParkedRecord.objects.exists()
    assert relaying.arrived("a", 1) == sent


def test_s8_rows_keep_their_order_when_their_topic_is_held_within_a_batch(relaying: Relaying) -> None:
    """
    The registry fails once, for the schema of the first row. The later rows must not be sent before the first row.
    """
    sent = relaying.append(*["a"] * 3)
    errors = iter([SchemaRegistryError("away", retriable=True)])
    relaying.error = lambda _: next(errors, None)
    drain(relaying)
    assert relaying.arrived("a", 3) == sent


@pytest.mark.parametrize("code", [_UNLISTED, "OUT_OF_ORDER_SEQUENCE_NUMBER", "UNKNOWN_LEADER_EPOCH"])
def test_s11_an_unlisted_error_code_holds_the_topic_and_does_not_interrupt_the_relay(
    relaying: Relaying, code: str
) -> None:
    sent = relaying.append("a", "a")
    relaying.sandbox.fail_next("Produce", code, times=3)
    with watched(RelayInterrupted, TopicHeld, TopicResumed) as seen:
        drain(relaying)
    assert [type(one) for one in seen] == [TopicHeld] * 3 + [TopicResumed]
    assert relaying.arrived("a", 2) == sent


def test_a_refusal_is_logged_as_info_if_a_new_client_resolves_it(
    relaying: Relaying, caplog: pytest.LogCaptureFixture
) -> None:
    sent = relaying.append(*["a"] * 3)
    relaying.sandbox.fail_next("Produce", _ROW_BY_ROW)
    with nobody_else_observing(), caplog.at_level("INFO", "event_bus_kafka"):
        observe(LoggingObserver(audit=lambda: False))
        drain(relaying)
    assert relaying.arrived("a", 3) == sent
    told = [line for line in caplog.records if "validate record" in line.getMessage()]  # others' clients may tell more
    assert ["A new client replaces" in line.getMessage() for line in told] == [True]
    assert all(line.levelname == "INFO" for line in told)


def test_rows_of_other_topics_are_not_sent_twice_after_a_refused_request(relaying: Relaying) -> None:
    relaying.sandbox.fail_next("Produce", "TOPIC_AUTHORIZATION_FAILED")
    sent = [relaying.append("a"), relaying.append("b")]
    drain(relaying)
    assert [relaying.arrived(topic, 2, seconds=2) for topic in ("a", "b")] == sent


def test_s12_only_the_bad_row_of_a_refused_request_is_parked(relaying: Relaying) -> None:
    sent = relaying.append(*["a"] * 20)
    relaying.sandbox.fail_next("Produce", _ROW_BY_ROW, times=2)  # the request, then its first row alone
    drain(relaying)
    assert relaying.arrived("a", 19) == sent[1:]
    assert [row.code for row in ParkedRecord.objects.all()] == [_ROW_BY_ROW]


def test_s12_a_topic_is_held_and_no_row_stays_parked_if_kafka_refuses_rows_of_all_keys(relaying: Relaying) -> None:
    """
    A wrong policy of the topic is a possible cause. The first rows are appended two at a time, so some rows are parked
    before the topic is held. The parked rows are then put back into the outbox.
    """
    sent: list[bytes] = []
    relaying.sandbox.fail_next("Produce", "POLICY_VIOLATION", times=100)
    with watched(TopicHeld) as seen:
        for _ in range(8):
            sent += relaying.append("a", "a", users=4)
            relaying.relay.step()
            relaying.relay.step()
        sent += relaying.append("a", "a", "a", users=4)
        until(lambda: bool(seen), step=relaying.relay.step)
        assert not ParkedRecord.objects.exists(), "what was parked meanwhile is put back"
        for _ in range(3):
            relaying.relay.step()
        assert not ParkedRecord.objects.exists()
    relaying.sandbox.mend()
    drain(relaying)
    assert sorted(map(str, relaying.arrived("a", len(sent)))) == sorted(map(str, sent))


def test_s12_a_topic_is_not_held_again_if_kafka_refuses_only_one_row_when_the_topic_is_tried_again(
    relaying: Relaying,
) -> None:
    relaying.append(*["a"] * 30)
    relaying.append(*["a"] * 4, users=4)
    OutboxRecord.objects.update(shard=0)
    relaying.sandbox.fail_next("Produce", _ROW_BY_ROW, times=34)
    with watched(TopicHeld) as seen:
        until(lambda: bool(seen), step=relaying.relay.step)
        relaying.sandbox.mend()
        relaying.sandbox.fail_next("Produce", _ROW_BY_ROW)
        drain(relaying)
    assert len(seen) == 1
    assert ParkedRecord.objects.count() == 1


def test_a_batch_of_rows_sent_one_by_one_ends_after_a_few_rows_if_the_broker_is_slow(relaying: Relaying) -> None:
    relaying.append(*["a"] * 30)
    relaying.sandbox.fail_next("Produce", _ROW_BY_ROW)
    relaying.relay.step()
    with relaying.sandbox.slow_brokers(0.1):
        relaying.relay.step()
    assert 1 <= 30 - OutboxRecord.objects.count() <= 11


def test_s12_a_row_is_restored_unchanged_after_it_was_parked_under_another_id(relaying: Relaying) -> None:
    """
    After a restore of the database, a refused row has the same id as a row that was parked earlier. So the refused row
    is parked under another id.
    """
    relaying.append("a")
    OutboxRecord.objects.update(headers=b"text")
    drain(relaying)
    (parked,) = ParkedRecord.objects.all()
    relaying.sandbox.fail_next("Produce", "POLICY_VIOLATION", times=100)
    with watched(TopicHeld) as seen:
        relaying.append("a", "a", users=4)
        OutboxRecord.objects.filter(pk=OutboxRecord.objects.earliest("pk").pk).update(id=parked.pk)
        drain(relaying)
        assert ParkedRecord.objects.count() == 3
        relaying.append(*["a"] * 10, users=4)
        until(lambda: bool(seen), step=relaying.relay.step)
    assert ParkedRecord.objects.get() == parked
    assert OutboxRecord.objects.count() == 12


def test_s14_the_number_of_rows_that_a_batch_parks_is_limited(
    relaying: Relaying, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "MOST_PARKED", 5)
    relaying.append(*["a"] * 12)
    OutboxRecord.objects.update(headers=b"text")
    counts = []
    for _ in range(3):
        relaying.relay.step()
        counts.append(ParkedRecord.objects.count())
    assert counts == [5, 10, 12]


@pytest.mark.parametrize(("code", "users"), [("POLICY_VIOLATION", 2), ("MSG_SIZE_TOO_LARGE", 5)])
def test_s12_a_topic_is_not_held_if_kafka_refuses_only_rows_of_few_keys_or_only_large_rows(
    relaying: Relaying, code: str, users: int
) -> None:
    relaying.append(*["a"] * 15, users=users)
    relaying.sandbox.fail_next("Produce", code, times=16)
    with watched(TopicHeld) as seen:
        drain(relaying)
    assert not seen
    assert ParkedRecord.objects.count() == 15


def test_s12_a_topic_is_not_held_if_kafka_accepts_other_rows_between_refusals(relaying: Relaying) -> None:
    """
    From time to time Kafka refuses a row that is alone in its request. Between these refusals Kafka accepts other rows.
    """
    with watched(TopicHeld) as seen:
        for number in range(12):
            relaying.append(*["a"] * 5, users=5)
            drain(relaying)
            relaying.append(*["a"] * (number % 4 + 1), users=4)
            OutboxRecord.objects.exclude(pk=OutboxRecord.objects.latest("pk").pk).delete()
            relaying.sandbox.fail_next("Produce", _ROW_BY_ROW, times=2)
            drain(relaying)
    assert not seen
    assert ParkedRecord.objects.count() == 12


def test_s12_bad_rows_at_the_head_of_a_held_topic_are_parked(relaying: Relaying) -> None:
    """
    Kafka accepts a row of another key of the topic. This proves that the cause is in the refused rows, and not in the
    topic.
    """
    relaying.append(*["a"] * 12, users=4)
    relaying.sandbox.fail_next("Produce", _ROW_BY_ROW, times=11)
    with watched(TopicHeld) as seen:
        until(lambda: bool(seen), step=relaying.relay.step)
    relaying.sandbox.mend()
    relaying.sandbox.fail_next("Produce", _ROW_BY_ROW, times=2)
    drain(relaying)
    assert ParkedRecord.objects.count() == 2
    assert len(relaying.arrived("a", 10)) == 10
