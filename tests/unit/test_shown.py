"""
Untrusted text is cleaned and truncated in all output (case C17).

The same hostile texts are used for fields of all lifecycle events, for all errors, and for the output of some commands.
"""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from inspect import signature
from pathlib import Path
from typing import Any

import attrs
import pytest
from django.core.management import call_command

import event_bus_kafka
from event_bus_kafka import errors
from event_bus_kafka.errors import BrokerError, EventBusError, SchemaRegistryError, UnreadableValue
from event_bus_kafka.models import DeadLetter, ParkedRecord, PausedReceiver, WriterSchema
from event_bus_kafka.shown import label, logger_named, shown, shown_time
from event_bus_kafka.telemetry import tallies
from event_bus_kafka.telemetry.counting import count
from event_bus_kafka.telemetry.events import LifecycleEvent, RecordSkipped
from event_bus_kafka.telemetry.logs import LoggingObserver
from event_bus_kafka.telemetry.logs.log_filter import LogFilter
from event_bus_kafka.telemetry.metrics import RECORDS_SKIPPED
from tests.unit.telemetry.test_events import KINDS, example

evolve: Any = attrs.evolve
FORGED = "CRITICAL root user admin logged in"
HOSTILE = [
    f"x\n{FORGED}",
    f"x\r{FORGED}",
    f"x\u2028{FORGED}",
    f"x\x85{FORGED}",
    "\x1b[2J\x1b]0;title\x07",
    "\x9b31m",
    "\u202egpj.exe\u2066",
    "nul \0 bell \a back \b\b\b",
    "half \ud800 a pair",
    "x" * 2_000_000,
]
LONGEST_LINE = 30_000


def is_harmless(text: str, lines: int | None = 1) -> bool:
    """
    Return whether a text contains no control character and no forged line, is shorter than ``LONGEST_LINE``, and has
    ``lines`` lines. None allows any number of lines.
    """
    parts = text.split("\n")
    return (
        all(part.isprintable() and not part.startswith(FORGED) for part in parts)
        and (lines is None or len(parts) == lines)
        and len(text) < LONGEST_LINE
    )


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """Yield a list to which a log handler adds each line that the package logs."""
    found: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(self.format(record))

    logger, handler = logging.getLogger("event_bus_kafka"), Handler()
    logger.addHandler(handler)
    level = logger.level
    logger.setLevel(logging.DEBUG)
    yield found
    logger.removeHandler(handler)
    logger.setLevel(level)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_c17_hostile_text_in_a_field_of_an_event_cannot_break_a_log_line(
    kind: type[LifecycleEvent], lines: list[str]
) -> None:
    fields = attrs.fields(kind)  # type: ignore[arg-type]
    for field in [one for one in fields if one.name != "stack"]:  # places in the code, which strangers do not write
        for text in HOSTILE:
            for value in values(str(field.type), text):
                LoggingObserver(audit=lambda: True)(evolve(example(kind), **{field.name: value}))
    of_one = None if "stack" in [field.name for field in fields] else 1
    assert [line[:300] for line in lines if not is_harmless(line, of_one)] == []


def values(kind: str, text: str) -> list[Any]:
    """Return values of a field's type that contain the hostile text."""
    match kind:
        case "str":
            return [text]
        case "tuple[str, ...]":
            return [(text,)]
        case "tuple[tuple[str, int], ...]":
            return [((text, 1),)]
        case "tuple[tuple[str, int, int], ...]":
            return [((text, 1, 2),)]
        case "Exception" | "BaseException":
            refused = SchemaRegistryError(text, status=422, retriable=False)
            return [
                UnreadableValue(text),
                BrokerError(text, text),
                refused,
                ValueError(text),
            ]
    return []


ERRORS = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, EventBusError)]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_c17_hostile_text_cannot_break_the_message_of_an_error(error: type[EventBusError], text: str) -> None:
    given: dict[str, Any] = {"retriable": True, "exit_code": 3, "data": [text], "receivers": [text], "aliases": [text]}
    given["exceptions"] = [ValueError(text)]
    if error.__init__ is Exception.__init__:
        assert is_harmless(str(error(text)))
        return
    wanted = [one for one in signature(error.__init__).parameters.values() if one.default is one.empty][1:]
    arguments = {one.name: given.get(one.name, text) for one in wanted}
    positional = [arguments.pop(one.name) for one in wanted if one.kind is one.POSITIONAL_OR_KEYWORD]
    assert is_harmless(str(error(*positional, **arguments)))


def test_an_exception_whose_str_raises_can_be_logged(lines: list[str]) -> None:
    """
    The command of openedx-events ignores exceptions. If the worker failed to log the reason, the command would exit
    with 0 and print no reason.
    """

    class Mute(Exception):
        def __str__(self) -> str:
            raise LookupError

    logger = logger_named("event_bus_kafka.some.module")
    logger.error("It failed: %s", Mute(), exc_info=Mute())
    (line,) = lines
    assert "Mute, whose text raised LookupError" in line


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_in_the_traceback_of_a_foreign_exception_is_cleaned(text: str, lines: list[str]) -> None:
    logger = logger_named("event_bus_kafka.some.module")
    try:
        try:
            raise ValueError(text)
        except ValueError as cause:
            raise RuntimeError(text) from cause
    except RuntimeError:
        logger.exception("It failed: %s", text)
    assert is_harmless(lines[0], None)
    assert "test_shown.py" in lines[0]
    assert lines[0].count("ValueError: ") == 1


@pytest.mark.django_db
@pytest.mark.parametrize("text", [one[:200] for one in HOSTILE if "\ud800" not in one], ids=str)
def test_c17_hostile_text_cannot_break_the_output_of_a_command(text: str) -> None:
    now = datetime.now(UTC)
    letter = DeadLetter.objects.create(
        group=text, topic=text, partition=0, offset=0, timestamp=9 * 10**15, key=text.encode(), value=None,
        headers=[[text, text], ["ce_type", text]], event_type=text, event_id=text[:36],
        failures=[{"receiver": text, "error": text, "place": text}], attempts=1,
        first_failed_at=now, last_failed_at=now,
    )  # fmt: skip
    schema = WriterSchema.objects.create(digest="d", topic=text, event_type=text)
    ParkedRecord.objects.create(
        id=1, shard=0, topic=text, key=b"", headers=b"", schema=schema, created=0, code=text[:64], reason=text,
        parked_at=9 * 10**15,
    )  # fmt: skip
    PausedReceiver.objects.create(receiver=text, paused_at=now)
    for command in (
        ("event_dead_letters", "list"),
        ("event_dead_letters", "show", str(letter.pk)),
        ("event_dead_letters", "discard", str(letter.pk)),
        ("event_dead_letters", "replay", str(letter.pk)),
        ("event_outbox", "status"),
        ("event_outbox", "parked"),
        ("event_bus_pause",),
    ):
        assert is_harmless(printed(*command), None), command
        if command[1:2] not in (("discard",), ("replay",)):
            as_json = printed(*command, "--json")
            json.loads(as_json)
            assert is_harmless(as_json, None), command


def printed(*command: str) -> str:
    output = io.StringIO()
    call_command(*command, stdout=output, no_color=True, skip_checks=True)
    return output.getvalue()


@pytest.mark.parametrize("time", [9 * 10**15, -9 * 10**15, 2**63 - 1, -(2**63)])
def test_c17_a_time_that_python_cannot_represent_is_shown_as_a_number(time: int) -> None:
    assert shown_time(time) == f"{time} ms"


def test_harmless_text_is_unchanged_except_that_odd_spaces_are_replaced_and_long_text_is_truncated() -> None:
    text = "org.openedx.learning.certificate.created.v1 – «Ünïcödé» 名前"
    assert shown(text) == label(text) == text
    assert shown("山田\u3000太郎, «\xa0non\u202f!\xa0»") == "山田 太郎, « non ! »"
    assert shown("x" * 3000, 10) == "xxxxxxxxxx… (2990 characters more)"


def test_c17_many_event_types_do_not_fill_the_tallies() -> None:
    """Strangers can write records with any event type. The types that this service does not know share one tally."""
    before, skipped = len(tallies.read()), tallies.total(RECORDS_SKIPPED, event_type="other")
    for number in range(10_000):
        count(example(RecordSkipped, event_type=f"type {number} \x1b"))
    assert tallies.total(RECORDS_SKIPPED, event_type="other") == skipped + 10_000
    assert len(tallies.read()) <= before + 1


def test_c17_many_event_types_do_not_fill_the_log() -> None:
    log_filter = LogFilter(lambda: True)
    told = [log_filter.is_news("type", f"{number}" + "x" * 10_000, for_ever=True) for number in range(5_000)]
    assert sum(told) == 1_000
    assert not log_filter.is_news("type", "0" + "x" * 10_000, for_ever=True)
    for number in range(5_000):
        assert log_filter.is_news("held", f"{number}")
    assert len(log_filter._last_logged) <= 1_000


def test_only_shown_py_and_schema_registry_py_call_get_logger() -> None:
    package = Path(event_bus_kafka.__file__).parent
    ways = [
        str(file.relative_to(package)) for file in package.rglob("*.py") if re.search(r"getLogger\(", file.read_text())
    ]
    assert sorted(ways) == ["kafka/schema_registry.py", "shown.py"], (
        "schema_registry.py filters the logger of the HTTP client"
    )
