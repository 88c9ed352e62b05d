"""Texts for times, in the user's time zone, and for ages, in the user's language."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from django.utils.timesince import timesince
from django.utils.timezone import get_default_timezone, is_naive, localtime, make_aware
from django.utils.translation import gettext, ngettext

_MINUTE = 60


def age(seconds: float) -> str:
    """Return a duration as text: ``12 seconds``, ``3 minutes``, ``2 hours, 5 minutes``."""
    if seconds < _MINUTE:
        whole = max(round(seconds), 0)
        return ngettext("%(count)d second", "%(count)d seconds", whole) % {"count": whole}
    now = datetime.now(UTC)
    return timesince(now - timedelta(seconds=seconds), now).replace("\N{NO-BREAK SPACE}", " ")


def unbroken(text: str) -> str:
    """Return ``text`` with no-break spaces after its numbers, so that each number stays beside its unit."""
    return re.sub(r"(?<=\d) ", "\N{NO-BREAK SPACE}", text)


def ago(seconds: float) -> str:
    """Return the text for a time that was ``seconds`` ago."""
    return gettext("%(age)s ago") % {"age": age(seconds)}


def moment(time: datetime, *, has_seconds: bool = True) -> str:
    """
    Return ``time`` in the user's time zone, with the zone's name: ``2026-11-30 17:20:05 UTC``. The pages write all
    times like this, in every language, so that users can compare them with times in logs. Without ``USE_TZ``, Django
    reads naive times from the database; a naive ``time`` is taken as a time in TIME_ZONE. ``has_seconds``: False leaves
    out the seconds.
    """
    local = _local(time)
    return f"{local.replace(tzinfo=None).isoformat(' ', 'seconds' if has_seconds else 'minutes')} {_zone(local)}"


def moment_of(milliseconds: int) -> str:
    """
    Return the time ``milliseconds`` after the epoch as text. If the time is outside the years that Python knows, return
    the number of milliseconds with ``ms``.
    """
    try:
        return moment(datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds))
    except OverflowError:  # clients may write any timestamp
        return f"{milliseconds} ms"


def _zone(local: datetime) -> str:
    """Return the name of a time's zone, such as ``CET``; ``UTC-03`` for a zone that is named only by its offset."""
    name = local.tzname() or ""
    return f"UTC{name}" if name.startswith(("+", "-")) else name


def _local(time: datetime) -> datetime:
    return localtime(make_aware(time, get_default_timezone()) if is_naive(time) else time)
