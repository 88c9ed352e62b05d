"""Runs ``event_dead_letters`` in a separate process. The table of dead letters is in an SQLite file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.projects.process import ServiceProcess
from tests.services.bus import Bus

RETRY = {"EVENT_BUS_KAFKA_RETRY": {"attempts": 2, "first_delay": 0.05, "factor": 1}}


@pytest.fixture
def table(tmp_path: Path) -> dict[str, Any]:
    """Return the settings of a service whose database has the tables of the package."""
    entry = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "database")}
    settings = RETRY | {"DATABASES": {"default": entry}}
    with ServiceProcess("migrate", "--verbosity=0", "--skip-checks", settings=settings) as process:
        assert process.end() == 0, process.log
    return settings


def dead_letters(
    bus: Bus, settings: dict[str, Any], *arguments: str, receivers: str = "", exit_code: int = 0
) -> ServiceProcess:
    """Run ``event_dead_letters`` until it ends, assert its exit code, and return the process."""
    command = ("event_dead_letters", *arguments)
    with ServiceProcess(*command, settings=bus.settings(**settings), receivers=receivers) as process:
        assert process.end() == exit_code, process.log
    return process


def listed(bus: Bus, settings: dict[str, Any]) -> list[dict[str, Any]]:
    process = dead_letters(bus, settings, "list", "--json")
    letters: list[dict[str, Any]] = json.loads("\n".join(process.lines))["dead_letters"]
    return letters
