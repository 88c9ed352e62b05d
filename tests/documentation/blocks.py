"""Reads the code blocks of a page for tests."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

import attrs

ROOT = Path(__file__).parent.parent.parent
_BLOCK = re.compile(
    r"^(?P<indent> *)\.\. code-block:: (?P<language>\w+)\n(?:(?P=indent)   :caption: (?P<caption>.+)\n)?"
    r"(?:(?P=indent)   :\w+:.*\n)*\n(?P<text>(?:(?P=indent)   .*\n|\n)+)",
    re.MULTILINE,
)
_KEY = re.compile(r"Press Ctrl-C in terminal (\d)")


@attrs.frozen(kw_only=True)
class Block:
    """A code block of a page. `line` is the line number of its directive."""

    page: str
    line: int
    language: str
    caption: str
    text: str


@attrs.frozen(kw_only=True)
class CtrlC:
    """The sentence "Press Ctrl-C in terminal …" of a page."""

    terminal: str


def blocks(page: str) -> list[Block]:
    """Return the code blocks of ``page``. ``page`` is a path relative to the root of the repository."""
    return [step for step in steps(page) if isinstance(step, Block)]


def steps(page: str) -> list[Block | CtrlC]:
    """Return the code blocks of a page and its sentences about Ctrl-C, in the order of the page."""
    source = (ROOT / page).read_text()
    found: list[tuple[int, Block | CtrlC]] = [
        (match.start(), _block(page, source, match)) for match in _BLOCK.finditer(source)
    ]
    found += [(match.start(), CtrlC(terminal=match[1])) for match in _KEY.finditer(source)]
    return [step for _, step in sorted(found, key=lambda one: one[0])]


def _block(page: str, source: str, match: re.Match[str]) -> Block:
    return Block(
        page=page,
        line=source.count("\n", 0, match.start()) + 1,
        language=match["language"],
        caption=match["caption"] or "",
        text=dedent(match["text"]).strip("\n") + "\n",
    )
