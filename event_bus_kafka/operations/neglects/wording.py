"""Formats numbers and durations for sentences."""

from __future__ import annotations

MOST_COUNTED = 1_000
"""Maximum number of rows of one kind that a search for neglects counts."""


def number(count: int, noun: str) -> str:
    """Return a count with its noun, for example ``2 rows``; from :data:`MOST_COUNTED` on, ``1000 or more rows``."""
    return f"{count}{' or more' * (count >= MOST_COUNTED)} {noun}{'s' * (count != 1)}"


def span(seconds: float) -> str:
    """
    Return a duration as text, for example ``90 minutes``. The unit is the largest of day, hour and minute that fits at
    least twice. Shorter durations are in seconds.
    """
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}s"
    return f"{seconds:.0f} second{'s' * (round(seconds) != 1)}"
