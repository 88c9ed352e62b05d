"""
The code obeys the limits of the layout: files per folder, lines per file, and the median number of lines per function.
Names of public classes are unique, and names of files are unique within most top folders.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import event_bus_kafka

PACKAGE = Path(event_bus_kafka.__file__).parent
EXEMPT = {"commands", "migrations"}
"""Names of folders that are not checked, because Django requires a file for each command and each migration."""


def rooms() -> Iterator[tuple[str, list[Path]]]:
    for room in [PACKAGE, *PACKAGE.rglob("*/")]:
        files = [file for file in room.glob("*.py") if file.stem != "__init__"]
        if files and room.name not in EXEMPT:
            yield str(room.relative_to(PACKAGE)), files


def nodes() -> Iterator[tuple[Path, ast.AST]]:
    for _, files in rooms():
        for file in files:
            for node in ast.walk(ast.parse(file.read_text())):
                yield file, node


def test_no_folder_has_more_than_15_files() -> None:
    assert [name for name, files in rooms() if len(files) > 15] == []


def test_no_file_has_more_than_300_lines() -> None:
    assert [str(file) for _, files in rooms() for file in files if file.read_text().count("\n") > 300] == []


def test_the_median_length_of_functions_is_at_most_six_lines() -> None:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    lengths = [node.end_lineno - node.lineno for _, node in nodes() if isinstance(node, functions) and node.end_lineno]
    assert median(lengths) <= 6


def test_names_of_public_classes_are_unique() -> None:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for file, node in nodes():
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            found[node.name].append(str(file.relative_to(PACKAGE)))
    found.pop("Meta", None)  # of models, as Django requires
    assert {name: files for name, files in found.items() if len(files) > 1} == {}


def test_file_names_are_unique_within_each_top_folder_except_telemetry() -> None:
    for top in PACKAGE.glob("*/"):
        if top.name != "telemetry":  # each area has its lifecycle events in one folder and their log lines in another
            names = [file.stem for file in top.rglob("*.py") if file.stem != "__init__"]
            assert len(names) == len(set(names)), top
