"""While a topic is held, the other topics share the rows of a batch."""

from __future__ import annotations

from event_bus_kafka.relaying.shares import Part, Shares, in_step


def test_a_batch_ends_as_soon_as_one_of_its_shards_has_no_more_rows() -> None:
    rows = [(number, 10, number % 2) for number in range(10)]
    ahead = [(number, 10, 2) for number in range(10, 15)]
    assert in_step([*rows, *ahead]) == rows[:9]


def test_a_batch_contains_all_found_rows_if_one_shard_has_most_of_them() -> None:
    rows = [*((number, 10, 1) for number in range(5)), *((number, 10, 2) for number in range(5, 30))]
    assert in_step(rows) == rows


def test_s10_a_batch_contains_few_rows_of_a_topic_that_is_tried_again_and_none_of_a_held_topic() -> None:
    parts = Shares(1_000).divide([(1, "held"), (1, "tried"), (1, "a"), (2, "b")], {"held": 0, "tried": 10})
    assert parts == [Part(1, "tried", 10), Part(1, "a", 500), Part(2, "b", 500)]


def test_a_topic_with_a_backlog_gets_the_shares_that_other_topics_do_not_use() -> None:
    shares, found = Shares(1_000), [(1, "a"), (1, "b"), (2, "b")]
    parts = shares.divide(found, {"held": 0})
    assert [part.most for part in parts] == [333, 333, 333]
    assert shares.learn(parts, {0: 3, 1: 333, 2: 7}, {"held": 0})
    assert [part.most for part in shares.divide(found, {"held": 0})] == [100, 800, 100]
    assert not shares.learn(parts, {0: 3, 1: 332}, {"held": 0})
    assert [part.most for part in shares.divide(found, {"held": 0})] == [333, 333, 333]


def test_a_topic_keeps_its_share_of_a_batch_after_a_batch_of_other_shards() -> None:
    """
    A relay can read different shards for each batch. If a batch does not read a shard, the topics in this shard must
    keep their shares of the next batch.
    """
    shares, limits = Shares(1_000), {"held": 0}
    shares.learn(shares.divide([(1, "a"), (1, "b")], limits), {0: 500, 1: 3}, limits)
    shares.learn(shares.divide([(2, "a"), (2, "b")], limits), {0: 500, 1: 3}, limits)
    parts = shares.divide([(shard, topic) for shard in (1, 2, 3) for topic in "ab"], limits)
    assert [part.most for part in parts] == [200, 100, 200, 100, 200, 200]


def test_all_topics_get_shares_in_turn_if_there_are_too_many_for_one_batch() -> None:
    shares, found = Shares(1_000), [(shard, f"topic-{number}") for shard in range(16) for number in range(20)]
    served = {part[:2] for _ in range(100) for part in shares.divide(found, {"held": 0})}
    assert served == set(found)
    assert sum(part.most for part in shares.divide(found, {"held": 0})) <= 1_000
