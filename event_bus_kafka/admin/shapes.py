"""Values of which pages consist; the included templates ``table.html`` and ``facts.html`` draw them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs


@attrs.frozen(kw_only=True)
class Linked:
    """A text that leads somewhere."""

    text: str
    url: str

    def __str__(self) -> str:
        return self.text


@attrs.frozen(kw_only=True)
class Marked:
    """A state in a word, with a mark whose colour says how good it is."""

    text: str
    mark: str
    """``good``, ``bad``, or ``idle``."""

    def __str__(self) -> str:
        return self.text


@attrs.frozen(kw_only=True)
class Posting:
    """A button that posts ``fields`` to ``action``, where a page asks for confirmation."""

    label: str
    action: str
    about: str = ""
    """The subject of the action, for users of screen readers."""
    fields: Mapping[str, str] = attrs.field(factory=dict)

    def __str__(self) -> str:
        return self.label


Cell = str | int | Linked | Marked | Posting


@attrs.frozen(kw_only=True)
class Table:
    """Rows under a caption; the first cell of each names it."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    empty: str = ""
    """Shown in place of a table without rows."""
    shows_caption: bool = True
    """False: a heading has said it."""

    @property
    def labelled(self) -> list[list[tuple[str, Cell]]]:
        """The rows; each cell comes with the name of its column, which stands beside it on a narrow page."""
        return [list(zip(self.columns, row, strict=True)) for row in self.rows]


@attrs.frozen(kw_only=True)
class Facts:
    """Names, each with a value."""

    items: Sequence[tuple[str, Cell]]
