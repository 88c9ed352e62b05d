"""
The events that an app of a service defines are registered in time, whatever position the app has in INSTALLED_APPS.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.projects.process import ROOT

EVENTS, LIBRARY = "examples.platform_events", "openedx_events"


@pytest.mark.parametrize(
    ("apps", "said"),
    [
        ([EVENTS, LIBRARY], ""),
        ([LIBRARY, EVENTS], ""),
        ([LIBRARY], "No OpenEdxPublicSignal of type: 'org.openedx.learning.course.grade.updated.v1'."),
    ],
)
def test_a_service_starts_only_if_the_app_of_its_events_is_installed(
    apps: list[str], said: str, tmp_path: Path
) -> None:
    code = f"from django.conf import settings\nsettings.INSTALLED_APPS = {apps}\nimport django\ndjango.setup()"
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "examples.lms.settings", "EXAMPLES_DATA": str(tmp_path)}
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (ended.returncode == 0, said in ended.stderr) == (not said, True), ended.stderr
