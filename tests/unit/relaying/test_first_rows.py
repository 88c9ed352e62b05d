"""
The first rows of a key are sent in order, even if Kafka has not yet confirmed any record of the client in the partition
of the key. The tests use the sandbox and SQLite.
"""

from __future__ import annotations

from time import monotonic

import pytest

from event_bus_kafka.models import OutboxRecord
from event_bus_kafka.relaying import batch, claims, topics
from tests.support.outbox_service import until
from tests.support.relaying import Relaying


def drain(relaying: Relaying) -> None:
    until(lambda: not OutboxRecord.objects.exists(), step=relaying.relay.step)


def test_s8_later_rows_of_a_key_are_sent_only_after_the_first_request_to_their_partition_has_succeeded(
    relaying: Relaying,
) -> None:
    """
    Each request has one row. The sandbox accepts requests in any order. A real broker does so only until it has
    accepted the producer's first request.
    """
    relaying.options["batch.num.messages"] = 1
    relaying.renew()
    sent = relaying.append(*["a"] * 20)
    relaying.sandbox.fail_next("Produce", "INVALID_RECORD")
    with relaying.sandbox.slow_brokers(0.3):
        relaying.relay.step()
    assert relaying.arrived("a", 1, seconds=1) == []
    drain(relaying)
    assert relaying.arrived("a", 20) == sent


def test_one_batch_can_send_all_rows_of_a_key(relaying: Relaying) -> None:
    sent = relaying.append(*["a"] * 20, *["b"] * 20)
    relaying.relay.step()
    assert not OutboxRecord.objects.exists()
    assert relaying.arrived("a", 20) + relaying.arrived("b", 20) == sent


def test_rows_that_wait_for_an_unconfirmed_first_row_do_not_delay_other_topics(
    relaying: Relaying, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relaying.topics, "_clock", monotonic)
    monkeypatch.setattr(topics, "_PATIENCE", 60)
    monkeypatch.setattr(batch, "_FIRSTS_WITHIN", 0.0)
    relaying.append("a", "a", "b")
    with relaying.sandbox.slow_brokers(0.3):
        relaying.relay.step()
    assert list(OutboxRecord.objects.values_list("topic", flat=True)) == ["a"]


def test_rows_of_a_key_are_sent_in_order_across_chunks(relaying: Relaying, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Each chunk has five rows. The client reaches the partition during the second chunk. The third chunk contains the
    last row of the key.
    """
    monkeypatch.setattr(batch, "_FIRSTS_WITHIN", 0.0)
    monkeypatch.setattr(claims, "CHUNK_ROWS", 5)
    of_key = relaying.append("a", "a") + relaying.append(*["a"] * 12, users=12)[:1] + relaying.append("a")
    OutboxRecord.objects.update(shard=0)
    relaying.relay.step()
    assert OutboxRecord.objects.count() == 3
    drain(relaying)
    assert [event for event in relaying.arrived("a", 15) if event in of_key] == of_key


def test_rows_of_a_key_are_sent_in_order_within_a_chunk(relaying: Relaying) -> None:
    """The client's queue has room for two rows. The client reaches the partition while a row waits for room."""
    relaying.options["queue.buffering.max.messages"] = 2
    relaying.renew()
    one = relaying.append("a")
    left = relaying.append("a")
    _, *others = relaying.append("a", "a", "a", users=3)
    last = relaying.append("a")
    OutboxRecord.objects.update(shard=0)
    drain(relaying)
    assert [event for event in relaying.arrived("a", 6) if event in one + left + last] == one + left + last
    assert set(others) < set(relaying.arrived("a", 6))


def test_rows_of_a_key_keep_their_order_while_a_row_of_another_topic_waits_for_room_in_the_queue(
    relaying: Relaying,
) -> None:
    """
    The client's queue has room for two rows. The client has not reached topic ``b``, so the row of this topic waits
    until the queue has room.
    """
    relaying.options["queue.buffering.max.messages"] = 2
    relaying.renew()
    sent = relaying.append("a")
    drain(relaying)
    sent += relaying.append("a", "a", "a")
    relaying.append("b")
    sent += relaying.append("a")
    OutboxRecord.objects.update(shard=0)
    drain(relaying)
    assert relaying.arrived("a", 5) == sent


def test_rows_of_new_keys_do_not_wait_after_the_relay_has_reached_all_partitions_of_their_topic(
    relaying: Relaying, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The relay learns the number of partitions after the first batch of the topic. After the relay has reached all
    partitions, one batch sends several rows of a new key.
    """
    monkeypatch.setattr(batch, "_FIRSTS_WITHIN", 0.0)
    relaying.sandbox.create_topic("later", 1)
    for _ in range(2):
        relaying.append("later")
        drain(relaying)
    relaying.append(*["later"] * 10, users=5)
    relaying.relay.step()
    assert not OutboxRecord.objects.exists()
