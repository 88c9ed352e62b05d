"""Texts for times and ages, in the user's time zone and language."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from django.utils.formats import date_format, get_format
from django.utils.timesince import timesince
from django.utils.timezone import get_default_timezone, is_naive, localtime, make_aware
from django.utils.translation import gettext, ngettext

_MINUTE = 60
_WITH_SECONDS = {"P": "g:i:s a", "i": "i:s"}
"""Character for minutes in a format of Django → the replacement that shows seconds, too."""


def age(seconds: float) -> str:
    """Return a duration as text: ``12 seconds``, ``3 minutes``, ``2 hours, 5 minutes``."""
    if seconds < _MINUTE:
        whole = max(round(seconds), 0)
        return ngettext("%(count)d second", "%(count)d seconds", whole) % {"count": whole}
    now = datetime.now(UTC)
    return timesince(now - timedelta(seconds=seconds), now).replace("\N{NO-BREAK SPACE}", " ")


def ago(seconds: float) -> str:
    """Return the text for a time that was ``seconds`` ago."""
    return gettext("%(age)s ago") % {"age": age(seconds)}


def moment(time: datetime) -> str:
    """
    Return ``time`` as text in the user's time zone. Without ``USE_TZ``, Django reads naive times from the database; a
    naive ``time`` is taken as a time in TIME_ZONE.
    """
    return date_format(_local(time), "DATETIME_FORMAT")


def moment_with_seconds(milliseconds: int) -> str:
    """Return the time ``milliseconds`` after the epoch as text with seconds, which :func:`moment_of` may omit."""
    form = get_format("DATETIME_FORMAT")
    if not re.search(r"(?<!\\)s", form):
        form = re.sub(r"(?<!\\)[Pi]", lambda found: _WITH_SECONDS[found[0]], form)
    return date_format(_local(datetime.fromtimestamp(milliseconds / 1000, UTC)), form)


def moment_of(milliseconds: int) -> str:
    """Return the time ``milliseconds`` after the epoch as text."""
    return moment(datetime.fromtimestamp(milliseconds / 1000, UTC))


def _local(time: datetime) -> datetime:
    return localtime(make_aware(time, get_default_timezone()) if is_naive(time) else time)
