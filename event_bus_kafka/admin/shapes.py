"""The values that pages consist of, which the templates ``table.html`` and ``facts.html`` draw."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs

_MEDIUM, _LONG = 14, 40
"""
Numbers of characters. On a phone, a text that is longer than the first number gets the width of two columns, and a text
that is longer than the second number gets the whole width. The age of a running worker's heartbeat, such as
``12 seconds ago``, is not longer than the first number, because fields must not move when the age changes.
"""


@attrs.frozen(kw_only=True)
class Linked:
    """A text with a link."""

    text: str
    url: str

    def __str__(self) -> str:
        return self.text


@attrs.frozen(kw_only=True)
class Marked:
    """A state as a word, with a coloured mark."""

    text: str
    mark: str
    """``good``, ``bad`` or ``idle``; selects the colour."""
    note: str = ""
    """A sentence after the state, which is never bold."""
    url: str = ""
    """The URL to which the word links; empty: it has no link."""

    def __str__(self) -> str:
        return " ".join(map(str, filter(None, (self.text, self.note))))


@attrs.frozen(kw_only=True)
class Posting:
    """A button that posts ``fields`` to the URL ``action``. That URL shows a page that asks for confirmation."""

    label: str
    action: str
    about: str = ""
    """
    The thing that the button is about. Only screen readers read it out, because several buttons of a table have the
    same label.
    """
    fields: Mapping[str, str] = attrs.field(factory=dict)
    is_final: bool = False
    """Whether the action cannot be undone. Such buttons are red."""

    def __str__(self) -> str:
        return self.label


@attrs.frozen(kw_only=True)
class Postings:
    """Several buttons in one cell."""

    postings: Sequence[Posting]

    def __str__(self) -> str:
        return ", ".join(map(str, self.postings))


@attrs.frozen(kw_only=True)
class Command:
    """A command that a user may copy."""

    command: str

    def __str__(self) -> str:
        return self.command


@attrs.frozen(kw_only=True)
class TextLines:
    """Several texts, each on a line of its own."""

    texts: Sequence[str | Linked]

    def __str__(self) -> str:
        return ", ".join(map(str, self.texts))


@attrs.frozen(kw_only=True)
class Stacked:
    """Several cells, one below the other. If the first is :class:`Marked`, the others begin below its word."""

    cells: Sequence[str | Command | Linked | Marked]

    def __str__(self) -> str:
        return ", ".join(map(str, self.cells))


Cell = str | int | Command | Linked | Marked | Posting | Postings | Stacked | TextLines


def lines(texts: Iterable[str | Linked]) -> Cell:
    """Return a cell with a line for each text, or with a dash if there is no text."""
    found = list(texts)
    return TextLines(texts=found) if found else "–"


@attrs.frozen(kw_only=True)
class Table:
    """Rows under a caption. The first cell of each row is the row's header."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    empty: str = ""
    """The text shown if there are no rows."""
    shows_caption: bool = True
    """False if a heading above the table repeats the caption."""
    numbers: Sequence[str] = ()
    """Names of the columns that contain numbers. Their cells are aligned at the end."""

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The columns, each with the CSS class of its header."""
        return [(column, "event-bus-number" if column in self.numbers else "") for column in self.columns]

    @property
    def labelled(self) -> list[list[tuple[str, str, Cell]]]:
        """
        The rows. Each cell comes after the name and the CSS classes of its column, because narrow pages show a row as a
        list of names and cells. The longest text of a column decides how much room all cells of the column have, so
        that all rows are alike.
        """
        columns = [
            (column, f"{_room(max(len(str(row[index])) for row in self.rows))} {header}".strip())
            for index, (column, header) in enumerate(self.headers)
        ]
        return [[(*column, cell) for column, cell in zip(columns, row, strict=True)] for row in self.rows]


def _room(longest: int) -> str:
    """Return the CSS class of a column. ``longest``: length of the longest text in the column."""
    return "event-bus-long" if longest > _LONG else "event-bus-medium" if longest > _MEDIUM else ""


@attrs.frozen(kw_only=True)
class Facts:
    """A list of names with values."""

    items: Sequence[tuple[str, Cell]]
