"""Selects small numbers for `make test`, and large numbers for `make test-long`, which sets LONG."""

from __future__ import annotations

import os
from typing import TypeVar

Value = TypeVar("Value", int, str)

LONG = bool(os.environ.get("LONG"))


def scaled(count: Value, *, long: Value) -> Value:
    """Return ``long`` in `make test-long`, and ``count`` otherwise."""
    return long if LONG else count
