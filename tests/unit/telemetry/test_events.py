"""
The list of the kinds of lifecycle events is complete. Each kind has a log line, and no log line contains event data.
"""

from __future__ import annotations

import logging
from asyncio import CancelledError
from importlib import import_module
from pkgutil import iter_modules
from traceback import format_exc
from typing import Any

import attrs
import pytest
from django.db import OperationalError
from django.test import override_settings

from event_bus_kafka.errors import BrokerError, ReceiversFailed, UnreadableValue
from event_bus_kafka.telemetry import bus, emit, events, observe, unobserve
from event_bus_kafka.telemetry.events import LifecycleEvent
from event_bus_kafka.telemetry.logs import LoggingObserver
from event_bus_kafka.telemetry.monitoring import monitor
from event_bus_kafka.trouble import Trouble

VALUES: dict[str, Any] = {
    "str": "text",
    "int": 7,
    "float": 1.5,
    "bool": True,
    "Exception": UnreadableValue("reason"),
    "BaseException": SystemExit(),
    "tuple[str, ...]": ("text",),
    "tuple[tuple[str, int], ...]": (("topic", 0),),
    "tuple[tuple[str, float], ...]": (("leg", 0.5),),
    "tuple[tuple[str, int, int], ...]": (("topic", 0, 5),),
}


def example(kind: type[LifecycleEvent], **changes: Any) -> LifecycleEvent:
    fields = attrs.fields(kind)  # type: ignore[arg-type]
    return kind(**{field.name: changes.get(field.name, VALUES[str(field.type)]) for field in fields})


def kinds_in(names: dict[str, Any]) -> list[type[LifecycleEvent]]:
    found = (value for value in names.values() if isinstance(value, type) and issubclass(value, LifecycleEvent))
    return [kind for kind in found if kind is not LifecycleEvent]


KINDS = kinds_in({name: getattr(events, name) for name in events.__all__})
AREAS = [area.name for area in iter_modules(events.__path__) if area.name != "lifecycle_event"]


@pytest.mark.parametrize("area", AREAS)
def test_each_module_of_lifecycle_events_has_a_log_line_for_each_of_its_events(area: str) -> None:
    made = kinds_in(vars(import_module(f"event_bus_kafka.telemetry.events.{area}")))
    assert made
    assert [kind.__name__ for kind in made if kind not in KINDS] == []
    assert list(import_module(f"event_bus_kafka.telemetry.logs.{area}").lines) == made, "in the same order"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_lifecycle_event_can_be_logged(kind: type[LifecycleEvent]) -> None:
    LoggingObserver(audit=lambda: True)(example(kind))


def test_the_logging_observer_raises_type_error_for_an_unknown_kind_of_event() -> None:
    with pytest.raises(TypeError):
        LoggingObserver(audit=lambda: True)(LifecycleEvent())


def test_log_lines_keep_the_beginnings_that_dashboards_search_for(caplog: pytest.LogCaptureFixture) -> None:
    log = LoggingObserver(audit=lambda: True)
    with caplog.at_level(logging.INFO):
        for kind in (events.RecordDelivered, events.RecordReceived, events.RecordDone, events.EventUndelivered):
            log(example(kind))
        log(example(events.AttemptFailed))
    beginnings = [record.getMessage() for record in caplog.records]
    assert beginnings[0].startswith(
        "Message delivered to Kafka event bus: topic=text, partition=7, offset=7, message_id=text"
    )
    assert beginnings[1].startswith("Message received from Kafka: ")
    assert beginnings[2].startswith("Message from Kafka processed successfully")
    assert beginnings[3].startswith("Error delivering message to Kafka event bus. ")
    assert beginnings[4].startswith("Error consuming event from Kafka: ")


def test_audit_lines_can_be_switched_off(caplog: pytest.LogCaptureFixture) -> None:
    log = LoggingObserver(audit=lambda: False)
    with caplog.at_level(logging.INFO):
        for kind in (events.RecordDelivered, events.RecordReceived, events.RecordDone):
            log(example(kind))
    assert caplog.records == []


def raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:  # noqa: BLE001
        return caught


def test_the_log_shows_where_a_receiver_failed_but_not_the_text_of_the_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    failed = ReceiversFailed(["lms.award"], [raised(ValueError("learner@example.com"))])
    LoggingObserver(audit=lambda: True)(example(events.AttemptFailed, error=failed))
    assert "receiver lms.award raised ValueError" in caplog.text
    assert "test_events.py" in caplog.text
    assert "learner@example.com" not in caplog.text


def test_texts_of_errors_of_other_packages_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    LoggingObserver(audit=lambda: True)(example(events.EventRejected, error=ValueError("learner@example.com")))
    assert "ValueError" in caplog.text
    assert "learner@example.com" not in caplog.text


@pytest.mark.parametrize(
    ("error", "unconfirmed", "line"),
    [
        (OperationalError("learner@example.com"), 0, "its database raised OperationalError. It starts again in 1.5 s."),
        (BrokerError("_TRANSPORT", "refused"), 2, "BrokerError: _TRANSPORT: refused. It starts again in 1.5 s; 2 rows"),
    ],
)
def test_an_interrupted_relay_logs_which_server_failed(
    caplog: pytest.LogCaptureFixture, error: Exception, unconfirmed: int, line: str
) -> None:
    LoggingObserver(audit=lambda: True)(example(events.RelayInterrupted, error=error, unconfirmed=unconfirmed))
    assert f"The relay was interrupted: {line}" in caplog.text


def test_a_repeated_client_error_is_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    log = LoggingObserver(audit=lambda: True, clock=lambda: now[0])
    down = events.ClientErrorReported(
        client="consumer", error=BrokerError("_TRANSPORT", "refused"), code="_TRANSPORT", kind="other", fatal=False
    )
    for second in range(100):
        now[0] = float(second)
        log(down)
    assert len(caplog.records) == 2


def test_a_missing_topic_is_logged_once_as_a_warning_that_names_the_topic(caplog: pytest.LogCaptureFixture) -> None:
    log = LoggingObserver(audit=lambda: True)
    code = "UNKNOWN_TOPIC_OR_PART"
    reason = "Subscribed topic not available: prod.grades: Broker: Unknown topic or partition"
    error = BrokerError(code, reason, kind=Trouble.MISSING)
    for _ in range(3):
        log(events.ClientErrorReported(client="consumer", error=error, code=code, kind=error.kind, fatal=False))
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage() == (
        "Kafka consumer: topic prod.grades does not exist; the worker waits for it to be created"
    )


def test_each_topic_that_the_worker_is_not_allowed_to_read_is_logged_once_by_name(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = LoggingObserver(audit=lambda: True)
    error = BrokerError("TOPIC_AUTHORIZATION_FAILED", "Fetch from broker 1 failed", kind=Trouble.FORBIDDEN)
    about: dict[str, Any] = {
        "client": "consumer",
        "error": error,
        "code": error.code,
        "kind": error.kind,
        "fatal": False,
    }
    for topic in ("prod.grades", "prod.courses", "prod.grades"):
        log(events.ClientErrorReported(**about, topic=topic))
    assert [record.getMessage().partition(": BrokerError")[0] for record in caplog.records] == [
        "Kafka consumer: topic prod.grades",
        "Kafka consumer: topic prod.courses",
    ]


def test_an_unregistered_event_type_is_logged_once_with_a_hint_at_installed_apps(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = LoggingObserver(audit=lambda: True)
    for _ in range(3):
        log(example(events.RecordSkipped, reason="unregistered type", event_type="x.y.v1"))
    (record,) = caplog.records
    assert "INSTALLED_APPS" in record.getMessage()


def test_an_event_type_without_a_receiver_is_logged_once_as_info(caplog: pytest.LogCaptureFixture) -> None:
    log = LoggingObserver(audit=lambda: False)
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            log(example(events.RecordSkipped, reason="no receiver", event_type="x.y.v1"))
    (record,) = caplog.records
    assert record.levelname == "INFO", "topics carry several types: it may be meant"
    assert "import the receiver's module in ready()" in record.getMessage()


@pytest.mark.parametrize("kind", [RuntimeError, SystemExit, CancelledError])
def test_s17_an_observer_that_raises_does_not_affect_other_observers(
    caplog: pytest.LogCaptureFixture, kind: type[BaseException]
) -> None:
    error = kind("learner@example.com")
    seen: list[LifecycleEvent] = []

    def fail(event: LifecycleEvent) -> None:
        raise error

    collect, log = seen.append, LoggingObserver(audit=lambda: True)
    for observer in (fail, collect, log):
        observe(observer)
    try:
        emit(example(events.WorkerStarted))
    finally:
        for observer in (fail, collect, log):
            unobserve(observer)
    assert {type(event) for event in seen} == {events.WorkerStarted, events.CallbackFailed}, (
        "the failure is an event of its own"
    )
    assert f"fail at WorkerStarted raised {type(error).__name__}" in caplog.text
    assert f"fail at CallbackFailed raised {type(error).__name__}" in caplog.text
    assert "learner@example.com" not in caplog.text


def test_an_observer_that_is_added_twice_gets_each_event_only_once() -> None:
    seen: list[LifecycleEvent] = []
    collect = seen.append
    observe(collect)
    observe(collect)
    try:
        emit(example(events.WorkerStarted))
    finally:
        unobserve(collect)
    assert len(seen) == 1
    assert collect not in bus._observers


def test_an_observer_gets_only_events_of_the_selected_kinds() -> None:
    seen: list[LifecycleEvent] = []
    collect = seen.append
    received, done = example(events.RecordReceived), example(events.RecordDone)
    emit(received)
    observe(collect, events.RecordReceived)
    try:
        emit(received)
        emit(done)
    finally:
        unobserve(collect)
    emit(received)
    assert seen == [received]


def test_exceptions_for_monitoring_do_not_contain_the_error_text_of_a_receiver(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    printed: list[str] = []
    monkeypatch.setattr("event_bus_kafka.telemetry.monitoring.record_exception", lambda: printed.append(format_exc()))
    try:
        raise ValueError("learner@example.com")
    except ValueError as cause:
        error = ReceiversFailed(["app.receiver"], [cause])
        with override_settings(OPENEDX_TELEMETRY=["tests.support.tracing.Spans"]):
            monitor(example(events.AttemptFailed, error=error))
    assert any("app.receiver" in one for one in printed)  # clients of other tests may record their errors, too
    assert not any("learner@example.com" in one for one in printed)
