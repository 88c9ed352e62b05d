"""Reads the commands of docs/operating.rst, section by section."""

from __future__ import annotations

import re
from textwrap import dedent

import attrs

from tests.projects.process import ROOT

TEXT = (ROOT / "docs" / "operating.rst").read_text()
_SECTION = re.compile(r"^(?=[^\n]+\n-{3,}\n)", re.MULTILINE)
_BLOCK = re.compile(r"^( *)\.\. code-block:: console\n\n((?:\1   .*\n|\n)+)", re.MULTILINE)


@attrs.frozen
class Typed:
    """A command and the output that the page documents for it."""

    command: str
    output: str


def sections() -> dict[str, str]:
    """Return the text of each section by the section's title."""
    return {part.split("\n", 1)[0]: part for part in _SECTION.split(TEXT)[1:]}


def blocks(section: str) -> list[list[Typed]]:
    """Return the commands of each block of a section."""
    return [_typed(dedent(text)) for _, text in _BLOCK.findall(sections()[section])]


def inline_commands() -> list[str]:
    """Return the package's commands that occur in running text."""
    return re.findall(r"``manage\.py ((?:event_|relay_|consume_|probe_|replay_|backfill_|produce_)[^`]+)``", TEXT)


def _typed(block: str) -> list[Typed]:
    commands = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    return [Typed(*map(str.strip, one.partition("\n")[::2])) for one in commands]
