"""Small counts for `make test`, large ones for `make test-long`, which sets LONG."""

from __future__ import annotations

import os

LONG = bool(os.environ.get("LONG"))


def scaled(count: int, *, long: int) -> int:
    """Return the count for this run."""
    return long if LONG else count
