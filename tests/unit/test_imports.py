"""
Benchmarks, examples and ``tests/services`` import no part of the tests except ``tests/services``. Importing the app
does not read Django's settings of databases.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def imported(path: Path) -> Iterator[str]:
    """Yield the dotted names that the absolute imports of a file name, including imports inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("folder", ["benchmarks", "examples", "tests/services"])
def test_benchmarks_and_examples_and_services_import_only_services_from_the_tests(
    folder: str,
) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    of_tests = [(path.name, name) for path in files for name in imported(path) if f"{name}.".startswith("tests.")]
    assert of_tests
    assert [(file, name) for file, name in of_tests if not name.startswith("tests.services.")] == []


def test_importing_the_app_does_not_read_the_databases_setting() -> None:
    """The settings of the LMS import the apps of plugins before they define DATABASES."""
    code = (
        "import django.conf, django.db; django.conf.settings.configure(); import event_bus_kafka.apps; "
        "import event_bus_kafka.db_connections; assert 'settings' not in vars(django.db.connections)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
