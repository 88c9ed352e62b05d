"""The user of the operating system who runs a command."""

from __future__ import annotations

import os
from getpass import getuser


def user_name() -> str:
    """Return the name of the user, or ``user`` and a number if the user has no name."""
    try:
        return getuser()
    except (KeyError, OSError):  # a container may run under a number that has no name
        return f"user {os.getuid()}"
