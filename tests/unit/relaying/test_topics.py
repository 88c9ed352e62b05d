"""How long a topic is tried row by row."""

from __future__ import annotations

from event_bus_kafka.relaying.claims import Row
from event_bus_kafka.relaying.topics import Topics
from event_bus_kafka.wire.records import ProducerRecord

ROW = Row(7, "a", b"key", b"body", b"", 1)


def test_a_topic_is_open_again_only_after_batches_that_had_no_row_of_it() -> None:
    topics = Topics()
    topics["a"].send_alone(ROW)
    for _ in range(1_000):
        topics.begin_batch(saw_all=False)  # others have a backlog
    assert topics.limits
    for _ in range(101):
        topics.begin_batch()
    assert not topics.limits


def test_a_topic_whose_rows_did_not_all_go_by_themselves_is_not_open_yet() -> None:
    topics, record = Topics(), ProducerRecord(topic="a", key=b"key", value=b"body", headers=())
    topics["a"].send_alone(ROW)
    topics.begin_batch()
    topics["a"].line_up(ROW, record)
    topics["a"].stop()  # time is up
    topics["a"].end_batch()
    assert topics.limits
