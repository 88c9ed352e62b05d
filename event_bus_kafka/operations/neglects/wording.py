"""Numbers and times as sentences have them."""

from __future__ import annotations

MOST_COUNTED = 1_000
"""Rows that are counted at most."""


def number(count: int, noun: str) -> str:
    """Return a count with its noun."""
    return f"{count}{' or more' * (count >= MOST_COUNTED)} {noun}{'s' * (count != 1)}"


def span(seconds: float) -> str:
    """Return a time in the largest unit of which there are two."""
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}s"
    return f"{seconds:.0f} second{'s' * (round(seconds) != 1)}"
