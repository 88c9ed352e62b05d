"""Observers are not called for events that they do not want; code that creates thousands of events asks first."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from event_bus_kafka.telemetry import emit, events, flush_observers, is_wanted, observe
from event_bus_kafka.telemetry.events import LifecycleEvent
from event_bus_kafka.telemetry.logs import LoggingObserver
from tests.support.watching import nobody_else_observing
from tests.unit.telemetry.test_events import example


class Choosy:
    """An observer that gets all kinds of events except the unwanted ones."""

    def __init__(self, wants: Callable[[type[LifecycleEvent]], bool]) -> None:
        self.wants = wants
        self.seen: list[type[LifecycleEvent]] = []

    def __call__(self, event: LifecycleEvent) -> None:
        self.seen.append(type(event))


def test_the_function_is_wanted_returns_false_for_audit_events_without_the_audit_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    audit = [False]
    with nobody_else_observing(), caplog.at_level(logging.INFO):
        observe(LoggingObserver(audit=lambda: audit[0]))
        assert not is_wanted(events.RecordDelivered)
        assert is_wanted(events.RowParked)
        audit[0] = True
        flush_observers()
        assert is_wanted(events.RecordDelivered)
        audit[0] = False
        flush_observers()
        assert not is_wanted(events.RecordDelivered)
        observe(print, events.RecordDelivered)
        assert is_wanted(events.RecordDelivered)


def test_an_observer_is_not_called_for_kinds_that_it_does_not_want() -> None:
    observer = Choosy(lambda kind: kind is events.RowParked)
    with nobody_else_observing():
        observe(observer)
        for kind in (events.RecordDone, events.RowParked):
            emit(example(kind))
    assert observer.seen == [events.RowParked]


def test_an_observer_that_cannot_say_what_it_wants_is_called() -> None:
    unwanted: dict[type[LifecycleEvent], bool] = {events.RowParked: False}
    observer = Choosy(unwanted.__getitem__)
    with nobody_else_observing():
        observe(observer)
        for kind in (events.RecordDone, events.RowParked):
            emit(example(kind))
    assert observer.seen == [events.RecordDone]


def test_the_setting_of_the_audit_log_is_read_only_once_between_two_flushes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answers = iter((False, True))
    with nobody_else_observing(), caplog.at_level(logging.INFO):
        observe(LoggingObserver(audit=lambda: next(answers), batched=lambda: True), events.RecordDone)
        for offset in (1, 2):
            emit(example(events.RecordDone, offset=offset))
        flush_observers()
        for offset in (3, 4):
            emit(example(events.RecordDone, offset=offset))
        flush_observers()
    (line,) = [record.getMessage() for record in caplog.records]
    assert "offsets=3-4" in line
