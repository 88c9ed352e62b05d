"""
Directives that draw diagrams from text. A diagram is an SVG without scripts, 360 pixels wide, in the page's colours.

In ``.. flow::``, each line is a box, except two kinds of lines. A line ``| text`` labels the arrow to the next box. A
line ``> label: text`` is a way out of the box above; it is drawn to the right of the box.

The first line of ``.. sequence::`` lists the participants. Each further line is a message, ``from -> to: text``, or a
note, ``participant: text``. These lines are in the order of time.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from textwrap import wrap
from typing import Any

import attrs
from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

WIDTH = 360
LINE = 16
"""Height of a line of text."""
PAD = 8
CHARACTER = 6.6
"""Average width of a character."""
BOX = 196
"""Width of a box."""
RIGHT = BOX + 30
"""Horizontal position at which the texts of ways out begin."""


@attrs.frozen
class Step:
    """A box, the label of the arrow that leads to it, and ways out of it."""

    text: str
    label: str = ""
    exits: list[str] = attrs.field(factory=list)


def flow(lines: list[str]) -> str:
    """Return the SVG of a column of boxes."""
    parts: list[str] = []
    y, first = 2, True
    for step in _steps(lines):
        if not first:
            label = wrap(step.label, _fitting(BOX - 24))
            end = y + max(26, len(label) * LINE + 12)
            parts += [_arrow(24, y, 24, end), *_text(36, y + 18, label, "label", anchor="start")]
            y = end
        ways = [wrap(way, _fitting(WIDTH - RIGHT)) for way in step.exits]
        height = max(_height(step.text, BOX), sum(len(way) * LINE + 10 for way in ways))
        parts += _box(2, y, BOX, height, step.text)
        at = y
        for way in ways:
            parts += [_arrow(BOX + 2, at + 14, RIGHT - 6, at + 14), *_text(RIGHT, at + 18, way, "exit", anchor="start")]
            at += len(way) * LINE + 10
        y, first = y + height, False
    return _svg(parts, y + 2, "\n".join(lines))


def sequence(lines: list[str]) -> str:
    """Return the SVG of messages between participants."""
    names = [name.strip() for name in lines[0].split(",")]
    step = WIDTH / len(names)
    at = {name: step * (number + 0.5) for number, name in enumerate(names)}
    parts = [part for name, x in at.items() for part in _text(x, 16, [name], "head")]
    y = 30
    for line in filter(None, lines[1:]):
        route, text = (part.strip() for part in line.split(":", 1))
        start, _, end = (part.strip() for part in route.partition("->"))
        left, right = sorted((at[start], at[end or start]))
        width = max(right - left, step) - 6 if end else step * 1.6
        middle = min(max((left + right) / 2, width / 2), WIDTH - width / 2)
        wrapped = wrap(text, _fitting(width + 10))
        kind = "label" if end else "note"
        parts += [_veil(middle, y - 2, width, len(wrapped)), *_text(middle, y + 12, wrapped, kind)]
        y += len(wrapped) * LINE + 6
        if end:
            parts.append(_arrow(at[start], y, at[end], y))
            y += 12
    lifelines = [f'<line class="life" x1="{x:.0f}" y1="24" x2="{x:.0f}" y2="{y}"/>' for x in at.values()]
    return _svg([*lifelines, *parts], y + 4, "\n".join(lines))


def _steps(lines: list[str]) -> Iterator[Step]:
    label, step = "", None
    for line in filter(None, lines):
        if line.startswith(">"):
            assert step is not None
            step.exits.append(line[1:].strip())
        elif line.startswith("|"):
            label = line[1:].strip()
        else:
            if step is not None:
                yield step
            step, label = Step(line.strip(), label), ""
    if step is not None:
        yield step


def _fitting(width: float) -> int:
    return max(6, int(width / CHARACTER))


def _height(text: str, width: float) -> int:
    return len(wrap(text, _fitting(width - 2 * PAD))) * LINE + 2 * PAD


def _box(x: int, y: int, width: int, height: int, text: str) -> Iterator[str]:
    yield f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>'
    yield from _text(x + width / 2, y + PAD + 12, wrap(text, _fitting(width - 2 * PAD)), "box")


def _text(x: float, y: float, lines: list[str], kind: str, *, anchor: str = "middle") -> Iterator[str]:
    for number, line in enumerate(lines):
        place = f'x="{x:.0f}" y="{y + number * LINE:.0f}" text-anchor="{anchor}"'
        yield f'<text class="{kind}" {place}>{escape(line)}</text>'


def _veil(middle: float, y: float, width: float, lines: int) -> str:
    """Return a rectangle that hides the lifelines behind a text."""
    return f'<rect class="veil" x="{middle - width / 2:.0f}" y="{y}" width="{width:.0f}" height="{lines * LINE + 2}"/>'


def _arrow(x1: float, y1: float, x2: float, y2: float) -> str:
    place = f'x1="{x1:.0f}" y1="{y1:.0f}" x2="{x2:.0f}" y2="{y2:.0f}"'
    return f'<line class="arrow" {place} marker-end="url(#head)"/>'


def _svg(parts: list[str], height: float, alt: str) -> str:
    head = (
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z"/></marker></defs>'
    )
    box = f'viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" height="{height:.0f}"'
    return f'<svg class="diagram" {box} role="img" aria-label="{escape(alt)}">{head}{"".join(parts)}</svg>'


class _Diagram(Directive):
    has_content = True
    draw: Any

    def run(self) -> list[nodes.Node]:
        return [nodes.raw("", type(self).draw([str(line) for line in self.content]), format="html")]


class Flow(_Diagram):
    """The directive ``flow``."""

    draw = staticmethod(flow)


class Sequence(_Diagram):
    """The directive ``sequence``."""

    draw = staticmethod(sequence)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives. Sphinx calls this function."""
    app.add_directive("flow", Flow)
    app.add_directive("sequence", Sequence)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
