"""Benchmarks and examples start real servers with `tests.services`, and import nothing else of the tests."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def imported(path: Path) -> Iterator[str]:
    """Yield the dotted names that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("folder", ["benchmarks", "examples", "tests/services"])
def test_of_the_tests_only_the_servers_are_imported(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    of_tests = [(path.name, name) for path in files for name in imported(path) if f"{name}.".startswith("tests.")]
    assert of_tests
    assert [(file, name) for file, name in of_tests if not name.startswith("tests.services.")] == []
