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
from event_bus_kafka.operations.workers import WorkerRun

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


def test_the_status_shows_the_health_port_of_a_worker_and_at_most_20_of_its_obstacles() -> None:
    obstacles = [f"window full: {'long-name-' * 6}[{number}] waits for a:{number}:7" for number in range(25)]
    run = WorkerRun(
        kind="consumer",
        liveness="alive",
        silence=2.0,
        host="worker-1",
        pid=7,
        service="mail",
        version="0.1.0",
        group="mail",
        topics=(),
        started=datetime.now(UTC),
        state={"obstacles": obstacles, "health_port": 8080},
    )
    tables = attrs.evolve(NO_TABLES, workers=(run, attrs.evolve(run, pid=8, state={})))
    whole = Status(
        taken=datetime.now(UTC),
        tables=tables,
        kafka=None,
        registry=None,
        neglects=(),
        neglects_not_known=(),
        unanswered=(),
        findings=(),
    )
    text = list(lines(whole))
    begin = next(number for number, line in enumerate(text) if "worker-1:7" in line)
    assert text[begin].split()[-2:] == ["8080", "25"]
    assert text[begin + 1].split()[-1] == "ago"
    below = " ".join(" ".join(text[begin + 2 :]).split())
    assert all(f"! consumer worker-1:7: {one}" in below for one in obstacles[:20])
    assert "… and 5 more: --json has all" in below
    assert max(map(len, text)) <= WIDTH


@pytest.mark.parametrize(
    ("numbers", "bars"), [((), ""), ((0, 0), "  "), ((0, 1, 8), " ▁█"), ((1, 1_000), "▁█"), ((5,), "█")]
)
def test_a_sparkline_shows_a_bar_for_every_number_above_0(numbers: tuple[int, ...], bars: str) -> None:
    assert sparkline(numbers) == bars
