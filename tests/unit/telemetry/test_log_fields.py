"""Log lines have extra fields, which a JSON formatter can write."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from event_bus_kafka.errors import ReceiversFailed
from event_bus_kafka.telemetry import events
from event_bus_kafka.telemetry.events import LifecycleEvent
from event_bus_kafka.telemetry.logs import LoggingObserver
from event_bus_kafka.telemetry.logs.fields import FIELDS, PREFIX, fields, name_group, of_process
from tests.unit.telemetry.test_events import KINDS, example

Line = Callable[[LifecycleEvent], dict[str, Any]]


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    return {name.removeprefix(PREFIX): value for name, value in vars(record).items() if name.startswith(PREFIX)}


@pytest.fixture
def line(caplog: pytest.LogCaptureFixture) -> Iterator[Line]:
    """Return a function that logs an event and returns the extra fields of its log line."""

    def logged(event: LifecycleEvent) -> dict[str, Any]:
        caplog.clear()
        LoggingObserver(audit=lambda: True)(event)
        (record,) = caplog.records
        return fields_of(record)

    before = dict(of_process)
    of_process.clear()
    with caplog.at_level(logging.DEBUG):
        yield logged
    of_process.clear()
    of_process.update(before)


WHERE = {"topic": "text", "partition": 7, "offset": 7}
EVENT = {"event_type": "text", "event_id": "text"}


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (example(events.RecordReceived), WHERE | EVENT),
        (example(events.RecordDone), WHERE | EVENT),
        (example(events.RecordDelivered), WHERE | EVENT),
        (example(events.EventUndelivered), {"topic": "text"} | EVENT),
        (example(events.AttemptFailed, event_id=""), WHERE | {"event_type": "text"}),
        (example(events.OffsetsLost), WHERE | {"group": "text"}),
        (example(events.CircuitOpened, receiver="app.award"), {"receiver": "app.award"}),
        (
            example(events.ReceiverSlow, record="a:b:3:42"),
            {"receiver": "text", "topic": "a:b", "partition": 3, "offset": 42},
        ),
        (
            example(
                events.DeadLetterStored, error=ReceiversFailed(["app.a", "app.b"], [ValueError("x"), KeyError("y")])
            ),
            WHERE | EVENT | {"receiver": "app.a, app.b"},
        ),
        (example(events.WorkerStarted), {}),
    ],
    ids=lambda one: type(one).__name__,
)
def test_a_log_line_has_the_fields_of_its_event(line: Line, event: LifecycleEvent, expected: dict[str, Any]) -> None:
    assert line(event) == expected


def test_log_lines_of_a_worker_have_its_group_unless_the_event_has_another_group(line: Line) -> None:
    name_group("credentials")
    assert line(example(events.RecordDone)) == WHERE | EVENT | {"group": "credentials"}
    assert line(example(events.WorkerStarted)) == {"group": "credentials"}
    assert line(example(events.WindowFull, group="other"))["group"] == "other"


def test_control_characters_in_log_fields_are_replaced_and_long_texts_are_truncated(line: Line) -> None:
    found = line(example(events.RecordReceived, event_type="a\nb\x1b[31m" + "x" * 1_000, event_id="\u202eid"))
    assert found["event_type"].startswith("a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}[31m")
    assert len(found["event_type"]) < 300
    assert found["event_id"] == "\N{REPLACEMENT CHARACTER}id"


def test_a_log_line_of_several_records_has_their_common_fields(caplog: pytest.LogCaptureFixture) -> None:
    log = LoggingObserver(audit=lambda: True, batched=lambda: True)
    with caplog.at_level(logging.INFO):
        for offset in (1, 2):
            log(example(events.RecordDone, offset=offset, event_id=f"id-{offset}"))
        log.flush()
    (record,) = caplog.records
    shared = fields_of(record)
    shared.pop("group", None)
    assert shared == {"topic": "text", "partition": 7, "event_type": "text"}


def test_fields_match_the_documented_list_and_overwrite_no_field_of_log_records() -> None:
    found = {name for kind in KINDS for name in fields(example(kind))}
    assert found - of_process.keys() == {PREFIX + name for name in FIELDS} - of_process.keys()
    own = vars(logging.makeLogRecord({})).keys() | {"message", "asctime"}
    assert [name for name in own if name.startswith(PREFIX)] == []


class Asked(str):
    """The name of a topic. The class counts how often a log field is computed from such a name."""

    __slots__ = ()
    times = 0

    def __ne__(self, other: object) -> bool:
        Asked.times += 1
        return super().__ne__(other)

    __hash__ = str.__hash__


def test_fields_are_computed_only_for_lines_that_are_written(caplog: pytest.LogCaptureFixture) -> None:
    log = LoggingObserver(audit=lambda: True)
    for level, expected in ((logging.WARNING, 0), (logging.DEBUG, 4)):
        with caplog.at_level(level, "event_bus_kafka"):
            for kind in (events.RecordReceived, events.RecordDone, events.RecordDelivered, events.EventAppended):
                log(example(kind, topic=Asked("t")))
        assert Asked.times == expected
