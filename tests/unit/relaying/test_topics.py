"""
After Kafka has refused rows of a topic, a relay sends the topic's waiting rows one by one. The relay stops doing so
when these rows have been sent, or after more than 100 batches without a row of the topic. Only batches that took all
waiting rows of the outbox count.
"""

from __future__ import annotations

from event_bus_kafka.relaying.claims import Row
from event_bus_kafka.relaying.topics import Topics
from event_bus_kafka.wire.records import ProducerRecord

ROW = Row(7, "a", b"key", b"body", b"", 1)


def test_the_limit_of_a_topic_is_removed_after_more_than_100_complete_batches_without_its_rows() -> None:
    topics = Topics()
    topics["a"].send_alone(ROW)
    for _ in range(1_000):
        topics.begin_batch(saw_all=False)  # other topics have a backlog
    assert topics.limits
    for _ in range(101):
        topics.begin_batch()
    assert not topics.limits


def test_the_limit_of_a_topic_stays_after_a_batch_that_ended_before_all_rows_of_the_topic_were_sent() -> None:
    topics, record = Topics(), ProducerRecord(topic="a", key=b"key", value=b"body", headers=())
    topics["a"].send_alone(ROW)
    topics.begin_batch()
    topics["a"].line_up(ROW, record)
    topics["a"].stop()  # the time limit is over
    topics["a"].end_batch()
    assert topics.limits
