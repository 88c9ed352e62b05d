"""
Installs missing Debian packages by name: ``python -m tests.services.debian PACKAGE …``.

If this Debian release lacks a package, the package of another release is unpacked into a folder. The installed packages
of the machine do not change.
"""

from __future__ import annotations

import getpass
import os
import subprocess
import sys
import tempfile
from pathlib import Path

_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_STARTS_SERVICES = ("invoke-rc.d", "deb-systemd-invoke")
_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"


def install(*packages: str) -> None:
    """Install the packages that are not installed yet. If a package contains a server, the server is not started."""
    missing = [package for package in packages if not _is_installed(package)]
    if not missing:
        return
    print(f"Installing {' '.join(missing)} …", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        _run("update", "-qq")
        path = f"DPkg::Path={_without_services(Path(folder))}:{_PATH}"
        _run("install", "-y", "-qq", "--no-install-recommends", "-o", path, *missing)


def unpack(package: str, *, suite: str, folder: Path) -> None:
    """
    Unpack a package of another release into a folder, together with all libraries that the package needs, including
    libc. Nothing is installed.

    apt runs as the current user in a separate folder, and uses the mirror in the package sources of the machine.
    """
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for part in ("etc/apt/preferences.d", "var/lib/apt", "var/lib/dpkg", "var/cache/apt"):
            (root / part).mkdir(parents=True)
        (root / "var/lib/dpkg/status").touch()
        (root / "etc/apt/sources.list").write_text(f"deb [signed-by={_KEYS}] {_mirror()} {suite} main\n")
        apart = ["-o", f"Dir={root}", "-o", f"APT::Sandbox::User={getpass.getuser()}", "-o", "Acquire::Languages=none"]
        _output("apt-get", "-qq", *apart, "update")
        _output("apt-get", "-qq", *apart, "--yes", "--no-install-recommends", "--download-only", "install", package)
        for archive in sorted((root / "var/cache/apt/archives").glob("*.deb")):
            if archive.name.startswith(("lib", f"{package}_")):
                _output("dpkg-deb", "--extract", str(archive), str(folder))


def _mirror() -> str:
    """Return the Debian mirror that apt uses on this machine."""
    ask = ("apt-get", "indextargets", "--format", "$(REPO_URI)", "Origin: Debian", "Label: Debian")
    if not (answer := _output(*ask)):
        _run("update", "-qq")
        answer = _output(*ask)
    if not answer:
        raise RuntimeError("apt knows no mirror of Debian. To run the tests without MySQL: pytest -k 'not mysql'.")
    return answer.splitlines()[0]


def _without_services(folder: Path) -> Path:
    """
    Create a folder of programs that prevent packages from starting their servers. dpkg uses these programs if the
    folder is in its PATH.

    A policy-rc.d file would have the same effect, but would remain on the machine if this process is killed.
    """
    folder.chmod(0o755)
    for name in _STARTS_SERVICES:
        (folder / name).symlink_to("/bin/true")
    return folder


def _run(*arguments: str) -> None:
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    _output(*sudo, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=300", *arguments)


def _output(*command: str) -> str:
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}")
    return done.stdout


def _is_installed(package: str) -> bool:
    command = ["dpkg-query", "-W", "-f", "${db:Status-Status}", package]
    return subprocess.run(command, capture_output=True, text=True).stdout == "installed"


if __name__ == "__main__":
    install(*sys.argv[1:])
