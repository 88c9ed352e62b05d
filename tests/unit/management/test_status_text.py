"""The text output of ``event_bus_status`` fits the width of a terminal."""

from __future__ import annotations

from datetime import UTC, datetime

import attrs
import pytest

from event_bus_kafka.management.status_text import WIDTH, lines, sparkline
from event_bus_kafka.operations.status.values import (
    GroupStatus,
    KafkaStatus,
    Status,
    TableStatus,
    TopicStatus,
    Unread,
)

NO_TABLES = TableStatus(workers=None, outboxes=(), dead_letters=None, paused=None, last_hour=None, not_known={})


def test_long_names_and_long_tables_fit_the_width_of_a_terminal() -> None:
    name = "a-name-" * 30
    unread = (Unread(topic=name, lag=10**12),)
    group = GroupStatus(group=name, state="stable", members=3, topics=1, unread=unread)
    topic = TopicStatus(topic=name, partitions=3, records=10**12, policy="delete", retention_seconds=3_600.0)
    topics = tuple(attrs.evolve(topic, topic=f"{number}-{name}") for number in range(50))
    kafka = KafkaStatus(cluster=name, brokers=(name,) * 9, has_controller=True, topics=topics, groups=(group,))
    whole = Status(
        taken=datetime.now(UTC),
        tables=NO_TABLES,
        kafka=kafka,
        registry=None,
        neglects=(),
        neglects_not_known=(),
        unanswered=(),
        findings=(),
    )
    text = list(lines(whole))
    assert max(map(len, text)) <= WIDTH
    assert "  … and 30 more: --json has all" in text


@pytest.mark.parametrize(
    ("numbers", "bars"), [((), ""), ((0, 0), "  "), ((0, 1, 8), " ▁█"), ((1, 1_000), "▁█"), ((5,), "█")]
)
def test_a_sparkline_shows_a_bar_for_every_number_above_0(numbers: tuple[int, ...], bars: str) -> None:
    assert sparkline(numbers) == bars
