"""
The package describes the differences between two schemas, and explains why data that was written with one schema cannot
be read with the other.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from event_bus_kafka.errors import ConfigurationError
from event_bus_kafka.operations.schemas.schema_check import SchemaStanding, in_directory
from event_bus_kafka.operations.schemas.schema_directory import SchemaDirectory
from event_bus_kafka.schemas import verdict
from event_bus_kafka.schemas.changes import changes_between
from event_bus_kafka.schemas.reasons import reasons
from event_bus_kafka.schemas.verdict import refusals
from tests.interop.schema_changes import CHANGES, ID, NEUTRAL, enum, field, optional, record, text

OLD, NEW = CHANGES["a required field is added"]


@pytest.mark.parametrize(
    ("title", "changes"),
    [
        ("a required field is added", ["a: was absent, is long"]),
        ("a field with a default is added", ["a: was absent, is long with default 5"]),
        ("a default changes", ["a: was long with default 5, is long with default 6"]),
        ("an optional field is renamed", ["a: was long or null, is absent", "b: was absent, is long or null"]),
        ("fields are reordered", ["the order of fields"]),
        ("an enum gains a symbol", ["a: was enum Mode (HONOR), is enum Mode (HONOR, AUDIT)"]),
        ("a nested class gains a required field", ["owner.age: was absent, is long"]),
        ("a list's items are widened", ["a[]: was int, is long"]),
        ("a fixed changes its size", ["a: was fixed Sum (16 bytes), is fixed Sum (8 bytes)"]),
        ("nothing but documentation changes", ["names, aliases or documentation alone"]),
    ],
)
def test_changes_between_two_schemas_are_listed_field_by_field(title: str, changes: list[str]) -> None:
    assert changes_between(*CHANGES[title]) == changes


def test_equal_schemas_have_no_changes() -> None:
    assert all(changes_between(one, one) == [] for pair in CHANGES.values() for one in pair)


@pytest.mark.parametrize(
    ("title", "forth", "back"),
    [
        ("a required field is added", ["a has no default where it is read, and is not written"], []),
        ("a required field becomes optional", [], ["a may be written as null, and is read as long"]),
        ("int becomes long", [], ["a is written as long, and read as int"]),
        (
            "an enum gains a symbol",
            [],
            ["a may be written as AUDIT, which enum Mode lacks where it is read"],
        ),
        (
            "a nested class is renamed",
            ["owner is written as record Owner, and read as record Person"],
            ["owner is written as record Person, and read as record Owner"],
        ),
        (
            "an optional nested class gains a required field",
            ["owner.age has no default where it is read, and is not written"],
            [],
        ),
        (
            "a list becomes a map",
            ["a is written as array, and read as map"],
            ["a is written as map, and read as array"],
        ),
    ],
)
def test_a_reason_for_incompatibility_contains_the_field_that_cannot_be_read(
    title: str, forth: list[str], back: list[str]
) -> None:
    old, new = CHANGES[title]
    assert reasons(new, old) == forth
    assert reasons(old, new) == back


def test_the_comparison_of_a_recursive_class_terminates() -> None:
    tree = record("Node", field("next", ["null", "Node"], default=None), field("value", "long"))
    old, new = text(field("root", tree)), text(field("root", tree | {"fields": [*tree["fields"], field("b", "long")]}))
    assert reasons(new, old) == ["root.b has no default where it is read, and is not written"]
    assert changes_between(old, new) == ["root.b: was absent, is long"]


def test_the_refusal_of_a_schema_says_which_of_the_two_versions_cannot_read_the_other() -> None:
    assert refusals("FULL", NEW, [("version 3", OLD)]) == [
        "what was sent with version 3 cannot be read with this schema: a has no default where it is read, and is not "
        "written"
    ]
    assert refusals("FULL", OLD, [("version 3", NEW)]) == [
        "what is sent with this schema cannot be read with version 3: a has no default where it is read, and is not "
        "written"
    ]


def test_the_refusal_of_a_schema_with_an_invalid_name_contains_the_name() -> None:
    hyphen = json.dumps(record("CloudEvent", ID, namespace="org.example.redemption-reversed.v1"))
    (said,) = refusals("BACKWARD", hyphen, [("version 1", hyphen.replace("-", "_"))])
    assert "not valid Avro: redemption-reversed is not a valid Avro name" in said


def test_comparing_schemas_without_the_needed_package_raises_an_error_with_the_install_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(verdict, "_CAN_JUDGE", False)
    with pytest.raises(ConfigurationError, match=r"pip install 'openedx-event-bus-kafka\[schemas\]'"):
        refusals("BACKWARD", NEW, [("version 1", OLD)])
    assert refusals("NONE", NEW, [("version 1", OLD)]) == []


def test_exporting_a_schema_keeps_earlier_schemas_in_numbered_files(tmp_path: Path) -> None:
    directory = SchemaDirectory(tmp_path / "schemas")
    versions = [text(ID), text(ID, optional("a", "long")), text(ID, field("m", enum("X")))]
    assert [directory.export("type.v1", one, replace=False) for one in versions] == [True, True, True]
    assert not directory.export("type.v1", versions[-1], replace=False)
    assert [name for name, _ in directory.history("type.v1")] == ["type.v1@1.avsc", "type.v1@2.avsc", "type.v1.avsc"]
    assert [json.loads(schema) for _, schema in directory.history("type.v1")] == list(map(json.loads, versions))
    assert directory.export("type.v1", NEUTRAL + " ", replace=True)
    assert [name for name, _ in directory.history("type.v1")] == ["type.v1@1.avsc", "type.v1@2.avsc", "type.v1.avsc"]


def test_an_incompatible_schema_remains_incompatible_after_its_export(tmp_path: Path) -> None:
    directory = SchemaDirectory(tmp_path)
    directory.export("type", OLD, replace=False)
    assert in_directory(directory, "type", NEW, "BACKWARD").standing is SchemaStanding.INCOMPATIBLE
    directory.export("type", NEW, replace=False)
    assert in_directory(directory, "type", NEW, "BACKWARD").standing is SchemaStanding.INCOMPATIBLE
    assert in_directory(directory, "type", NEW, "FORWARD").standing is SchemaStanding.KNOWN


def test_a_broken_schema_file_is_named_in_the_error(tmp_path: Path) -> None:
    (tmp_path / "type.avsc").write_text("{")
    with pytest.raises(ConfigurationError, match=r"type\.avsc cannot be read as JSON"):
        in_directory(SchemaDirectory(tmp_path), "type", NEW, "BACKWARD")
