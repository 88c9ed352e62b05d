"""
``python -m benchmarks.plots FILE FOLDER``: converts the JSON of ``make benchmark``. For each suite it writes a plot,
and a page for inclusion in the documentation.

Each plot is an SVG of rectangles. It follows the reader's light or dark mode and contains a description in words.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from statistics import median
from typing import Any

import attrs

from benchmarks.measurements import NAMES, OURS
from benchmarks.report import aligned, shown

_WIDTH, _LABELS, _BARS, _LINE, _HEAD = 760, 330, 340, 22, 34
_STYLE = """
svg { background: #ffffff; }
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.head { font-weight: 600; }
.ours { fill: #0969da; }
.other { fill: #8c959f; }
.spread { stroke: #1f2328; stroke-width: 1.5; }
@media (prefers-color-scheme: dark) {
  svg { background: #0d1117; }
  text { fill: #e6edf3; }
  .ours { fill: #58a6ff; }
  .other { fill: #6e7681; }
  .spread { stroke: #e6edf3; }
}
"""
_Suite = Mapping[str, Any]
"""A suite as it is in the JSON."""


@attrs.frozen(kw_only=True)
class Bar:
    """A bar of a plot, which shows a figure of a case."""

    name: str
    runs: Sequence[float]

    @property
    def value(self) -> float:
        return median(self.runs)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plots", description=__doc__)
    parser.add_argument("file", type=Path, help="what `make benchmark` wrote with --json")
    parser.add_argument("folder", type=Path, help="where plots and pages go: docs/figures")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages(json.loads(options.file.read_text()), options.folder.name).items():
        (options.folder / name).write_text(text)


def pages(data: Mapping[str, Any], folder: str) -> dict[str, str]:
    """
    Return name → content of each file: a plot and a page for each suite, and one page with all goals and the machine.
    """
    files = {"goals.rst": _goals(data["suites"]), "machine.rst": _machine(data)}
    for suite in data["suites"]:
        files[f"{suite['suite']}.svg"] = plot(suite)
        files[f"{suite['suite']}.rst"] = _page(suite, folder)
    return files


def plot(suite: _Suite) -> str:
    """Return an SVG with a group of bars for each figure that the suite plots."""
    parts, top = [], 10
    for figure in suite["plots"]:
        bars = _bars(suite, figure)
        parts.append(_group(suite["columns"][figure], bars, top))
        top += _HEAD + _LINE * len(bars)
    title, described = escape(f"{suite['suite']}: {suite['about']}"), escape(in_words(suite))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top}" role="img" '
        f'aria-labelledby="title words"><title id="title">{title}</title><desc id="words">{described}</desc>'
        f"<style>{_STYLE}</style>{''.join(parts)}</svg>\n"
    )


def in_words(suite: _Suite) -> str:
    """Return a description of the plot, with one sentence per figure."""
    return " ".join(
        f"{suite['columns'][figure]}: {'; '.join(f'{bar.name} {shown(bar.value)}' for bar in _bars(suite, figure))}."
        for figure in suite["plots"]
    )


def _bars(suite: _Suite, figure: str) -> list[Bar]:
    found = {name: [run[figure] for run in case["runs"] if figure in run] for name, case in suite["cases"].items()}
    return [Bar(name=name, runs=runs) for name, runs in found.items() if runs]


def _group(head: str, bars: Sequence[Bar], top: int) -> str:
    most = max(max(bar.runs) for bar in bars) or 1.0
    has_ours = any(NAMES[OURS] in bar.name for bar in bars)
    lines = [f'<text class="head" x="10" y="{top + 16}">{escape(head)}</text>']
    for number, bar in enumerate(bars):
        kind = "ours" if NAMES[OURS] in bar.name or not has_ours else "other"
        lines.append(_bar(bar, kind, top + _HEAD - 8 + number * _LINE, _BARS / most))
    return "".join(lines)


def _bar(bar: Bar, kind: str, top: int, scale: float) -> str:
    """Return the SVG of a bar for the median, with a line from the minimum to the maximum."""
    least, most = (_LABELS + max(value, 0) * scale for value in (min(bar.runs), max(bar.runs)))
    end, middle = _LABELS + max(bar.value, 0) * scale, top + _LINE // 2 - 2
    return (
        f'<text x="{_LABELS - 8}" y="{middle + 5}" text-anchor="end">{escape(bar.name)}</text>'
        f'<rect class="{kind}" x="{_LABELS}" y="{top}" width="{max(end - _LABELS, 1):.1f}" height="{_LINE - 6}"/>'
        f'<line class="spread" x1="{least:.1f}" y1="{middle}" x2="{most:.1f}" y2="{middle}"/>'
        f'<text x="{max(end, most) + 6:.1f}" y="{middle + 5}">{shown(bar.value)}</text>'
    )


def _page(suite: _Suite, folder: str) -> str:
    figure = [f".. image:: /{folder}/{suite['suite']}.svg", f"   :alt: {in_words(suite)}"]
    tables = [aligned([tuple(row) for row in rows]) for rows in suite["tables"].values() if rows]
    return "\n".join([*figure, "", *_block(line for table in tables for line in [*table, ""])])


def _goals(suites: Sequence[_Suite]) -> str:
    rows = [tuple(row) for suite in suites for row in suite["tables"]["comparisons"] if row[-1]]
    return "\n".join(_block(aligned([(*row,) for row in rows]) if rows else ["no goals in these suites"]))


def _machine(data: Mapping[str, Any]) -> str:
    about = [f"{name}: {value}" for name, value in data["surroundings"].items()]
    return "\n".join(_block([data["counts"], "", *about]))


def _block(lines: Iterable[str]) -> list[str]:
    text = "\n".join(lines).strip().splitlines()
    return [".. code-block:: text", "", *(f"   {line}".rstrip() for line in text), ""]


if __name__ == "__main__":
    main()
