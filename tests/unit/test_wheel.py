"""The wheel contains the templates and styles of the package, where Django finds them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import event_bus_kafka

ROOT = Path(event_bus_kafka.__file__).parent.parent
_LOOK = """
import django, event_bus_kafka, test_settings
django.setup()
from django.contrib.staticfiles import finders
from django.template.loader import get_template
from pathlib import Path
installed = Path(event_bus_kafka.__file__).parent
for file in sorted(installed.rglob("*")):
    if file.is_file() and file.suffix not in (".py", ".pyc"):
        name = str(file.relative_to(installed))
        if name.startswith("templates/"):
            get_template(name.removeprefix("templates/"))
        if name.startswith("static/"):
            assert finders.find(name.removeprefix("static/")) == str(file)
        print(name)
"""


def _run(*command: str, **options: Any) -> str:
    return str(subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout)


def test_templates_and_styles_are_installed_with_the_wheel(tmp_path: Path) -> None:
    source, wheels, site = (tmp_path / name for name in ("source", "wheels", "site"))
    shutil.copytree(ROOT / "event_bus_kafka", source / "event_bus_kafka", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "pyproject.toml", "README.rst", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    _run(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels), str(source))
    (wheel,) = wheels.glob("*.whl")
    _run(*pip, "install", "--no-deps", "--no-compile", "--target", str(site), str(wheel))
    shutil.copy(ROOT / "test_settings.py", site)
    environment = os.environ | {"PYTHONPATH": str(site), "DJANGO_SETTINGS_MODULE": "test_settings"}
    installed = _run(sys.executable, "-c", _LOOK, env=environment, cwd=tmp_path).split()
    package = ROOT / "event_bus_kafka"
    others = {str(file.relative_to(package)) for file in package.rglob("*.*") if file.suffix not in (".py", ".pyc")}
    assert set(installed) == {name for name in others if (package / name).is_file()}
    assert any(name.endswith(".html") for name in installed)
