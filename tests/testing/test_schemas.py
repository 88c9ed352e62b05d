"""
A service relies on schemas, and stores them in files beside its tests. If one of these schemas changes,
``assert_schema_unchanged`` fails. ``assert_schema_compatible`` fails only after an incompatible change.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka.testing import assert_schema_compatible, assert_schema_unchanged
from tests.support.signals import EVENT_TYPE, graded

BASE: dict[str, Any] = {"user": int, "score": float, "comment": (str, None), "tags": list[str]}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the schema file that was written before the class changed."""
    path = tmp_path / "schemas" / "graded.avsc"
    with graded(**BASE) as signal, monkeypatch.context() as environment:
        environment.setenv("EVENT_BUS_KAFKA_UPDATE_SCHEMAS", "1")
        assert_schema_unchanged(signal, path)
    return path


def failure(check: Any, *arguments: Any) -> str:
    with pytest.raises(AssertionError) as caught:
        check(*arguments)
    return str(caught.value)


def test_the_function_assert_schema_unchanged_fails_and_writes_nothing_if_the_schema_file_is_missing(
    tmp_path: Path,
) -> None:
    with graded(**BASE) as signal:
        text = failure(assert_schema_unchanged, signal, tmp_path / "x.avsc")
    assert "Write it with pytest --update-event-schemas" in text
    assert list(tmp_path.iterdir()) == []


def test_a_written_schema_file_equals_the_schema_of_the_class(file: Path) -> None:
    with graded(**BASE) as signal:
        assert_schema_unchanged(signal, file)
        assert_schema_compatible(EVENT_TYPE, str(file))
    assert file.read_text().startswith('{\n  "doc"')


def test_a_schema_file_can_be_written_for_every_signal_that_has_an_avro_schema(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from event_bus_kafka.errors import SerializationError

    written = []
    for signal in OpenEdxPublicSignal.all_events():
        path = tmp_path / f"{signal.event_type}.avsc"
        with monkeypatch.context() as environment:
            environment.setenv("EVENT_BUS_KAFKA_UPDATE_SCHEMAS", "1")
            try:
                assert_schema_unchanged(signal, path)
            except SerializationError:
                continue
        assert_schema_unchanged(signal, path)
        assert_schema_compatible(signal, path)
        written.append(signal)
    assert len(written) > 50


CHANGES = {
    "type changed": (
        BASE | {"user": str},
        ["grade.user: was long, is string"],
        ["This service cannot read events of the old schema: field grade.user: ", "Services with the old schema"],
    ),
    "long widened to double": (
        BASE | {"user": float},
        ["grade.user: was long, is double"],
        ["Services with the old schema cannot read events of the new one: field grade.user: "],
    ),
    "required field removed": (
        {name: kind for name, kind in BASE.items() if name != "score"},
        ["grade.score: was double, is absent"],
        ["Services with the old schema cannot read events of the new one: field grade.score: required"],
    ),
    "required field added": (
        BASE | {"teacher": str},
        ["grade.teacher: was absent, is string"],
        ["This service cannot read events of the old schema: field grade.teacher: required"],
    ),
    "item type changed": (
        BASE | {"tags": list[int]},
        ["grade.tags[]: was string, is long"],
        ["This service cannot read events of the old schema: field grade.tags: ", "Services with the old schema"],
    ),
}
HARMLESS = {
    "optional field added": (BASE | {"teacher": (str, None)}, ["grade.teacher: was absent, is string or null"]),
    "field with default added": (BASE | {"teacher": (str, "")}, ["grade.teacher: was absent, is string"]),
    "optional field removed": (
        {name: kind for name, kind in BASE.items() if name != "comment"},
        ["grade.comment: was string or null, is absent"],
    ),
}


@pytest.mark.parametrize(("fields", "changes", "verdicts"), CHANGES.values(), ids=CHANGES)
def test_both_functions_assert_schema_unchanged_and_assert_schema_compatible_fail_after_an_incompatible_change(
    file: Path, fields: dict[str, Any], changes: list[str], verdicts: list[str]
) -> None:
    with graded(**fields) as signal:
        text = failure(assert_schema_unchanged, signal, file)
        assert failure(assert_schema_compatible, signal, file) == text
    lines = text.splitlines()
    assert lines[0] == f"The schema of {EVENT_TYPE} is not that of {file}:"
    assert [line.strip() for line in lines if line.startswith("  ")] == changes
    found = [line for line in lines if "cannot read" in line]
    assert len(found) == len(verdicts)
    assert all(line.startswith(verdict) for line, verdict in zip(found, verdicts, strict=True))


@pytest.mark.parametrize(("fields", "changes"), HARMLESS.values(), ids=HARMLESS)
def test_after_a_compatible_change_only_the_function_assert_schema_unchanged_fails(
    file: Path, fields: dict[str, Any], changes: list[str]
) -> None:
    with graded(**fields) as signal:
        assert_schema_compatible(signal, file)
        text = failure(assert_schema_unchanged, signal, file)
    assert [line.strip() for line in text.splitlines() if line.startswith("  ")] == changes
    assert "can read each other's events" in text
