"""
Provides the wheels that `pip install` needs: builds the wheel of this checkout, and downloads the wheels of all
dependencies.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from tests.documentation.blocks import ROOT
from tests.services.downloads import fetched

PACKAGE = "openedx-event-bus-kafka"
_PINS = ROOT / "requirements" / f"py3{11 if sys.version_info < (3, 12) else 12}" / "dev.txt"
_PARTS = ("event_bus_kafka", "setup.py", "pyproject.toml", "README.rst")


def build_wheel(folder: Path) -> Path:
    """Build the wheel of this checkout in a folder; return the folder that contains it."""
    source = folder / "source"
    source.mkdir()
    for part in _PARTS:
        path = ROOT / part
        if path.is_dir():
            shutil.copytree(path, source / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, source)
    wheels = folder / "wheels"
    _pip("wheel", "--no-deps", "--no-build-isolation", "-w", str(wheels), str(source))
    return wheels


def offline(wheels: Path) -> dict[str, str]:
    """
    Return environment variables with which pip works without a network. pip finds the built wheel in ``wheels``, and
    finds all dependencies in the cache of downloads for tests.
    """
    return {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": f"{wheels} {_wheels_of_others(wheels)}",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


def _wheels_of_others(wheels: Path) -> Path:
    digest = hashlib.sha256(_PINS.read_bytes() + (ROOT / "setup.py").read_bytes()).hexdigest()[:12]

    def fetch(folder: Path) -> None:
        _pip("download", "-c", str(_PINS), "--find-links", str(wheels), "-d", str(folder), PACKAGE)
        for wheel in folder.glob(f"{PACKAGE.replace('-', '_')}-*"):
            wheel.unlink()

    return fetched(f"wheels-py{sys.version_info.minor}-{digest}", fetch)


def _pip(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", *arguments], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
