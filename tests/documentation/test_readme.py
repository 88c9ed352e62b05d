"""
A service with the settings of the README passes all checks. The order of its INSTALLED_APPS decides which package's
``consume_events`` it runs.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.documentation.blocks import ROOT, blocks

BEFORE = """
SECRET_KEY = "secret"
USE_TZ = True
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "database"}}
INSTALLED_APPS = []
OPENEDX_TELEMETRY = []
"""
ORDER = '["event_bus_kafka", "openedx_events"]'
COMMANDS = """
from django.core.management import call_command, get_commands
import django
django.setup()
call_command("migrate", verbosity=0)
call_command("check", databases=["default"])
print(get_commands()["consume_events"])
"""


@pytest.mark.parametrize(
    ("order", "owner"), [(ORDER, "event_bus_kafka"), ('["openedx_events", "event_bus_kafka"]', "openedx_events")]
)
def test_settings_of_the_readme_pass_all_checks_with_the_apps_in_either_order(
    tmp_path: Path, order: str, owner: str
) -> None:
    (text,) = (block.text for block in blocks("README.rst") if block.language == "python")
    assert ORDER in text
    (tmp_path / "settings.py").write_text(BEFORE + text.replace(ORDER, order))
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS],
        cwd=tmp_path,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "settings", "PYTHONPATH": f"{tmp_path}:{ROOT}"},
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines() == ["System check identified no issues (0 silenced).", owner], done.stderr
