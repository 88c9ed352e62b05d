"""Debian's packages: what is missing is installed, by name. ``python -m tests.services.debian PACKAGE …``."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_STARTS_SERVICES = ("invoke-rc.d", "deb-systemd-invoke")


def install(*packages: str) -> None:
    """Install those packages that are not installed. Servers among them are not started."""
    missing = [package for package in packages if not _is_installed(package)]
    if not missing:
        return
    print(f"Installing {' '.join(missing)} …", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        _run("update", "-qq")
        path = f"DPkg::Path={_without_services(Path(folder))}:{_PATH}"
        _run("install", "-y", "-qq", "--no-install-recommends", "-o", path, *missing)


def _without_services(folder: Path) -> Path:
    """
    Make a folder for dpkg's path with which packages cannot start their own servers.

    Unlike a policy-rc.d, it leaves nothing to restore, not even after a kill.
    """
    folder.chmod(0o755)
    for name in _STARTS_SERVICES:
        (folder / name).symlink_to("/bin/true")
    return folder


def _run(*arguments: str) -> None:
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    command = [*sudo, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=300", *arguments]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}")


def _is_installed(package: str) -> bool:
    command = ["dpkg-query", "-W", "-f", "${db:Status-Status}", package]
    return subprocess.run(command, capture_output=True, text=True).stdout == "installed"


if __name__ == "__main__":
    install(*sys.argv[1:])
