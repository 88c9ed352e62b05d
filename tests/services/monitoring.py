"""Installs monitoring packages in a separate folder. In the usual folder, these packages would affect every test."""

from __future__ import annotations

import functools
import platform
import subprocess
import sys
from pathlib import Path

from tests.services.downloads import fetched

PACKAGES = (
    "ddtrace==4.16.0",
    "newrelic==14.1.0",
    "opentelemetry-distro==0.66b2",
    "opentelemetry-instrumentation-django==0.66b2",
    "opentelemetry-sdk==1.45.2",
)


@functools.cache
def monitoring_packages() -> Path:
    """Return the folder from which the monitoring packages can be imported."""
    names = "-".join(name.replace("==", "-") for name in PACKAGES)
    minor = "".join(platform.python_version_tuple()[:2])
    return fetched(f"{names}-py{minor}", _install)


def _install(folder: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-compile"]
    subprocess.run([*pip, "--target", folder, *PACKAGES], check=True, stdin=subprocess.DEVNULL)
