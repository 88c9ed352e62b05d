"""In the situation that a section of the runbook describes, the section's commands print the documented output."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.projects.process import ServiceProcess
from tests.runbook import scenarios
from tests.runbook.page import blocks, sections
from tests.runbook.terminal import Terminal
from tests.services.bus import RealBus

pytestmark = pytest.mark.real

SCENARIOS: dict[str, Callable[[Terminal], None]] = scenarios.ALL


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a migrated database. Tests copy the database, because a migration takes a second."""
    database = tmp_path_factory.mktemp("runbook") / "database"
    settings = {"DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(database)}}}
    with ServiceProcess("migrate", "--verbosity=0", "--skip-checks", settings=settings) as process:
        assert process.end() == 0, process.log
    return database


@pytest.mark.parametrize("section", SCENARIOS)
def test_the_commands_of_each_runbook_section_print_the_documented_output(
    section: str, real_bus: RealBus, group: str, tmp_path: Path, migrated: Path, request: pytest.FixtureRequest
) -> None:
    database = tmp_path / "database"
    shutil.copy(migrated, database)
    terminal = Terminal(real_bus, section, group, database, lambda: request.getfixturevalue("guarded"))
    SCENARIOS[section](terminal)
    terminal.end()


def test_each_runbook_section_with_commands_is_tested() -> None:
    assert [title for title in sections() if blocks(title)] == list(SCENARIOS)
