"""Simulates a name server that never answers, for a single command."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import randrange

_COMMAND = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'


@contextmanager
def silent_name_server(folder: Path) -> Iterator[list[str] | None]:
    """
    Yield words to put in front of a command. A command with these words uses a name server that never answers; other
    commands are not affected.

    Yield None if the tests do not run as root or have no permission to mount.
    """
    address = f"127.{randrange(1, 255)}.{randrange(1, 255)}.53"  # random, since tests may run in parallel
    file = folder / "resolv.conf"
    file.write_text(f"nameserver {address}\n")
    words = ["unshare", "--mount", "sh", "-c", _COMMAND, str(file)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        try:
            server.bind((address, 53))
        except OSError:
            yield None
            return
        is_allowed = shutil.which("unshare") and subprocess.run([*words, "true"], check=False).returncode == 0
        yield words if is_allowed else None
