"""A name server that never answers, for one process alone."""

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
    Give the words before a command that have it, and nobody else, ask a name server that never answers.

    None where that is not allowed: it takes root, and the right to mount.
    """
    address = f"127.{randrange(1, 255)}.{randrange(1, 255)}.53"  # other tests that run now have their own
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
