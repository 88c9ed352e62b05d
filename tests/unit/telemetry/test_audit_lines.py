"""
Records of one partition and one event type can share a line of the log if they are sent, received or processed at
nearly the same time. This line names each of the records.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from event_bus_kafka.telemetry import emit, events, flush_observers, observe
from event_bus_kafka.telemetry.logs import LoggingObserver
from tests.support.watching import nobody_else_observing
from tests.unit.telemetry.test_events import example

Lines = Callable[[], list[str]]


@pytest.fixture
def batched() -> list[bool]:
    return [True]


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture, batched: list[bool]) -> Iterator[Lines]:
    """
    Return a function that returns the lines of the log. Other observers, and clients of earlier tests, do not write to
    this log.
    """
    kinds = (
        events.RecordReceived,
        events.RecordDelivered,
        events.RecordDone,
        events.AttemptFailed,
        events.CallbackFailed,
    )
    with nobody_else_observing(), caplog.at_level(logging.INFO):
        observe(LoggingObserver(audit=lambda: True, batched=lambda: batched[0]), *kinds)
        yield lambda: [record.getMessage() for record in caplog.records]


def received(*offsets: int, **changes: Any) -> None:
    for offset in offsets:
        emit(
            example(
                events.RecordReceived, **{"offset": offset, "event_id": f"id-{offset}", "is_early": False} | changes
            )
        )


def test_consecutive_records_share_an_audit_line_and_a_single_record_has_a_separate_line(lines: Lines) -> None:
    for offset in (7, 5, 6):
        emit(example(events.RecordDelivered, offset=offset, event_id=f"id-{offset}"))
    assert lines() == []
    flush_observers()
    received(1)
    flush_observers()
    flush_observers()
    assert lines() == [
        "Message delivered to Kafka event bus: topic=text, partition=7, offsets=5-7, message_ids=id-7,id-5,id-6",
        "Message received from Kafka: topic=text, partition=7, offset=1, message_id=id-1, event_type=text",
    ]


def test_each_audit_line_contains_records_of_only_one_kind_and_one_partition_and_one_event_type(lines: Lines) -> None:
    received(1, 2)
    received(1, 2, partition=8)
    received(3, 4, event_type="other")
    for offset in (1, 2):
        emit(example(events.RecordDone, offset=offset, event_id=f"id-{offset}"))
    flush_observers()
    assert lines() == [
        "Message received from Kafka: topic=text, partition=7, offsets=1-2, message_ids=id-1,id-2, event_type=text",
        "Message received from Kafka: topic=text, partition=8, offsets=1-2, message_ids=id-1,id-2, event_type=text",
        "Message received from Kafka: topic=text, partition=7, offsets=3-4, message_ids=id-3,id-4, event_type=other",
        "Message from Kafka processed successfully: topic=text, partition=7, offsets=1-2, message_ids=id-1,id-2",
    ]


def test_an_audit_line_has_at_most_a_hundred_event_ids_and_shortens_none(lines: Lines) -> None:
    ids = [f"{number:036}" for number in range(250)]
    for number, event_id in enumerate(ids):
        emit(example(events.RecordDelivered, offset=number, event_id=event_id))
    flush_observers()
    told = [line.partition("message_ids=")[2].split(",") for line in lines()]
    assert [len(one) for one in told] == [100, 100, 50]
    assert [one for ids_of_line in told for one in ids_of_line] == ids


def test_a_hostile_event_id_cannot_forge_a_line(lines: Lines) -> None:
    for event_id in ("a\nb", "c" * 5_000):
        emit(example(events.RecordDelivered, event_id=event_id))
    flush_observers()
    (line,) = lines()
    assert line.isprintable()
    assert "(3000 characters more)" in line


def test_waiting_audit_lines_are_written_before_a_later_line_of_another_kind(lines: Lines) -> None:
    received(1, 2)
    emit(example(events.AttemptFailed, offset=2))
    assert [line[:20] for line in lines()] == ["Message received fro", "Error consuming even"]


def test_a_record_is_logged_as_received_before_it_is_logged_as_processed(lines: Lines) -> None:
    for offset in (1, 2):
        received(offset, is_early=offset == 1)
        emit(example(events.RecordDone, offset=offset, event_id=f"id-{offset}"))
    flush_observers()
    assert [line[:20] for line in lines()] == ["Message received fro"] * 2 + ["Message from Kafka p"]


def test_only_the_line_for_which_a_log_filter_raises_is_lost(lines: Lines) -> None:
    def refuse(record: logging.LogRecord) -> bool:
        if "bad" in record.getMessage():
            raise ValueError("learner@example.com")
        return True

    logger = logging.getLogger("event_bus_kafka")
    logger.addFilter(refuse)
    try:
        for topic in ("a", "bad", "c", "d"):
            received(1, 2, topic=topic)
        emit(example(events.AttemptFailed, topic="c"))
        flush_observers()
    finally:
        logger.removeFilter(refuse)
    told = "\n".join(lines())
    assert all(told.count(f"Message received from Kafka: topic={topic}") == 1 for topic in "acd")
    assert told.count("Error consuming event from Kafka") == 1
    assert "learner@example.com" not in told


def test_waiting_lines_are_written_after_a_thousand_records(lines: Lines) -> None:
    received(*range(999))
    assert lines() == []
    received(999)
    assert len(lines()) == 10


def test_disabling_batched_lines_gives_each_record_a_separate_line_after_the_next_flush(
    lines: Lines, batched: list[bool]
) -> None:
    received(1)
    batched[0] = False
    received(2)
    flush_observers()
    received(3, 4)
    assert [line.partition("offsets=")[2][:3] for line in lines()] == ["1-2", "", ""], "asked at each look"


def test_a_child_process_does_not_log_its_parents_waiting_lines(lines: Lines) -> None:
    received(1)
    if (child := os.fork()) == 0:
        flush_observers()
        os.kill(os.getpid(), signal.SIGKILL if lines() else signal.SIGTERM)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGTERM
    flush_observers()
    assert len(lines()) == 1


def test_an_exception_during_the_flush_of_an_observer_is_logged_and_not_raised(lines: Lines) -> None:
    class Failing:
        def __call__(self, _: events.LifecycleEvent) -> None: ...

        def flush(self) -> None:
            raise SystemExit

    observe(Failing())
    received(1)
    flush_observers()
    assert "flush of Failing raised SystemExit" in lines()[-1]
