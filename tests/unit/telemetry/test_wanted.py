"""Observers are not called for events that they do not want. ``is_wanted`` says whether any observer wants an event."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from django.test import override_settings

from event_bus_kafka import create_producer
from event_bus_kafka.telemetry import emit, events, flush_observers, is_wanted, observe
from event_bus_kafka.telemetry.events import LifecycleEvent
from event_bus_kafka.telemetry.logs import LoggingObserver
from tests.support.watching import nobody_else_observing, watched
from tests.unit.telemetry.test_events import example


class Choosy:
    """An observer that gets only the kinds of events for which ``wants`` returns true."""

    def __init__(self, wants: Callable[[type[LifecycleEvent]], bool]) -> None:
        self.wants = wants
        self.seen: list[type[LifecycleEvent]] = []

    def __call__(self, event: LifecycleEvent) -> None:
        self.seen.append(type(event))


def test_an_audit_event_is_wanted_only_if_an_observer_wants_it(
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


def test_an_observer_is_called_if_its_method_named_wants_raises() -> None:
    unwanted: dict[type[LifecycleEvent], bool] = {events.RowParked: False}
    observer = Choosy(unwanted.__getitem__)
    with nobody_else_observing():
        observe(observer)
        for kind in (events.RecordDone, events.RowParked):
            emit(example(kind))
    assert observer.seen == [events.RecordDone]


def test_between_two_flushes_an_observer_is_asked_only_once_whether_it_wants_a_kind() -> None:
    asked: list[type[LifecycleEvent]] = []

    def refuse(kind: type[LifecycleEvent]) -> bool:
        asked.append(kind)
        return False

    with nobody_else_observing():
        observe(Choosy(refuse), events.RecordDone)
        for _ in range(2):
            emit(example(events.RecordDone))
            emit(example(events.RecordDone))
            flush_observers()
    assert asked == [events.RecordDone] * 2


def test_an_invalid_setting_of_monitoring_is_reported_without_preventing_the_creation_of_a_producer() -> None:
    """If creating the producer raised an exception, openedx-events would use a producer that drops all events."""
    with (
        nobody_else_observing(),
        override_settings(OPENEDX_TELEMETRY="no list"),
        watched(events.CallbackFailed) as seen,
    ):
        create_producer()
        emit(example(events.RowParked))
    assert [event.callback for event in seen] == ["observer Monitor at RowParked"]
