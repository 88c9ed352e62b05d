"""
Charts drawn on the server as small SVG images. Each chart has an alternative text and a table of the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import attrs
from django.utils.formats import number_format
from django.utils.translation import gettext

from event_bus_kafka.admin.ages import moment
from event_bus_kafka.admin.shapes import Cell, Table

WIDTH, HEIGHT = 600, 120
"""Size of the drawing, in SVG units."""
_LEAST = 3.0
"""The least height at which a number above 0 is drawn, in SVG units."""
_WHOLE = 10
"""Numbers from this one on are shown without decimals; smaller ones have one decimal, unless it is 0."""


@attrs.frozen(kw_only=True)
class Series:
    """A line of a chart. ``values``: one number for each slot of time, or None for a slot without data."""

    label: str
    values: Sequence[float | None]

    @property
    def most(self) -> float:
        """The largest value; 0 if all slots are empty."""
        return max((one for one in self.values if one is not None), default=0.0)

    @property
    def last(self) -> float | None:
        """The value in the latest slot that has data; None if all slots are empty."""
        return next((one for one in reversed(self.values) if one is not None), None)


@attrs.frozen(kw_only=True)
class DrawnLine:
    """A series as it is drawn."""

    number: int
    """The number of the series, from 1 on, which selects the colour and the dashes."""
    caption: str
    """
    The label of the series with its largest value, or with ``none counted`` if all its values are 0 or missing. If no
    series of the chart has a number above 0, only the label.
    """
    points: str
    """
    Points for SVG's ``polyline``. Empty if all values are 0 or missing: lines at 0 would hide each other. If there is a
    single value, its point occurs twice, so that SVG's round line caps make a dot.
    """
    is_dot: bool


@attrs.frozen(kw_only=True)
class Chart:
    """Up to four series over the same slots of time."""

    title: str
    begins: Sequence[datetime]
    """The start of each slot."""
    series: Sequence[Series]
    say: Callable[[float], str]
    """Returns a number as text with its unit."""
    is_current: bool = True
    """Whether processes have written counts for the latest slots. If not, counts of these slots may still come."""

    @property
    def lines(self) -> list[DrawnLine]:
        """The series as they are drawn."""
        return [self._line(number, one) for number, one in enumerate(self.series, 1)]

    @property
    def top(self) -> str:
        """
        The largest number of all series, as text. If all numbers are 0 or missing: ``none counted`` if ``is_current``,
        otherwise ``none yet``.
        """
        if self._most:
            return gettext("peak %(top)s") % {"top": self.say(self._most)}
        return gettext("none counted") if self.is_current else gettext("none yet")

    @property
    def empty(self) -> str:
        """
        A sentence that says that no number is above 0; empty if a number is above 0. The sentence makes no claim about
        the last slot, because some processes may not have written its counts yet.
        """
        if self._most:
            return ""
        if self.is_current:
            return gettext("None until %(last)s.") % {"last": self.last}
        return gettext("None counted yet. Counts of the last two minutes may follow.")

    @property
    def first(self) -> str:
        """The start of the first slot, as text."""
        return _minute(self.begins[0])

    @property
    def last(self) -> str:
        """The start of the last slot, as text."""
        return _minute(self.begins[-1])

    @property
    def alternative(self) -> str:
        """The chart's text for screen readers, with the largest and the latest number of each series."""
        told = "; ".join(map(self._told, self.series))
        return gettext("%(title)s from %(first)s to %(last)s. %(told)s.") % {
            "title": self.title,
            "first": self.first,
            "last": self.last,
            "told": told,
        }

    @property
    def table(self) -> Table:
        """The numbers of all series as a table, latest slot first. Slots with only zeros or no data are left out."""
        rows: list[list[Cell]] = [
            [_minute(begin), *map(self._said, values)]
            for begin, *values in zip(self.begins, *(one.values for one in self.series), strict=True)
            if any(values)
        ]
        return Table(
            caption=self.title,
            columns=[gettext("Time"), *(one.label for one in self.series)],
            rows=rows[::-1],
            empty=self.empty,
            shows_caption=False,
        )

    @property
    def _most(self) -> float:
        return max(one.most for one in self.series)

    def _told(self, series: Series) -> str:
        if series.last is None:
            return gettext("%(label)s: no values") % {"label": series.label}
        told = {"label": series.label, "peak": self.say(series.most), "last": self.say(series.last)}
        return gettext("%(label)s: peak %(peak)s, last %(last)s") % told

    def _said(self, value: float | None) -> str:
        return "–" if value is None else self.say(value)

    def _line(self, number: int, series: Series) -> DrawnLine:
        points = self._points(series) if series.most else []
        is_dot = len(points) == 1
        return DrawnLine(
            number=number,
            caption=self._caption(series),
            points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points * (2 if is_dot else 1)),
            is_dot=is_dot,
        )

    def _caption(self, series: Series) -> str:
        if not self._most:
            return str(series.label)
        text = gettext("%(label)s: peak %(peak)s") if series.most else gettext("%(label)s: none counted")
        return text % {"label": series.label, "peak": self.say(series.most)}

    def _points(self, series: Series) -> list[tuple[float, float]]:
        """Return the points of a series. A value above 0 is drawn at least ``_LEAST`` high."""
        most, steps = self._most or 1.0, max(len(series.values) - 1, 1)
        return [
            (index / steps * WIDTH, HEIGHT - (max(value / most * HEIGHT, _LEAST) if value else 0))
            for index, value in enumerate(series.values)
            if value is not None
        ]


def count(value: float) -> str:
    """Return ``value`` as text, rounded to one decimal, or to a whole number from ``_WHOLE`` on."""
    rounded = round(value, 1)
    whole = value >= _WHOLE or rounded == int(rounded)
    return number_format(round(value) if whole else rounded, use_l10n=True, force_grouping=True)


def duration(seconds: float) -> str:
    """Return a duration as text, in milliseconds, seconds or minutes."""
    if seconds < 1:
        return gettext("%(number)s ms") % {"number": count(seconds * 1000)}
    if seconds < 120:
        return gettext("%(number)s s") % {"number": count(seconds)}
    return gettext("%(number)s min") % {"number": count(seconds / 60)}


def _minute(begin: datetime) -> str:
    return moment(begin, has_seconds=False)
