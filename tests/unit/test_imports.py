"""The imports in benchmarks and examples obey rules, and settings may import the app."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def imported(path: Path) -> Iterator[str]:
    """Yield the dotted names that a file imports, including imports inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("folder", ["benchmarks", "examples", "tests/services"])
def test_benchmarks_and_examples_import_nothing_of_the_tests_but_their_services(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    of_tests = [(path.name, name) for path in files for name in imported(path) if f"{name}.".startswith("tests.")]
    assert of_tests
    assert [(file, name) for file, name in of_tests if not name.startswith("tests.services.")] == []


def test_databases_are_used_even_if_settings_define_them_after_importing_the_app() -> None:
    """The settings of the LMS ask plugins for their apps before the settings define DATABASES."""
    code = (
        "import django.conf, django.db; django.conf.settings.configure(); import event_bus_kafka.apps; "
        "import event_bus_kafka.db_connections; assert 'settings' not in vars(django.db.connections)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
