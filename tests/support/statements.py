"""Records the SQL statements that a block runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections


@contextmanager
def asked(alias: str = "default") -> Iterator[list[str]]:
    """
    Collect the first word of each SQL statement of the block. Statements for savepoints are included; those that begin
    or end a transaction are not. A statement with the condition ``1 = 0``, which writes no row, is collected with a
    ``0``, as in ``INSERT 0``.
    """
    found: list[str] = []

    def note(execute: Any, sql: str, *arguments: Any) -> Any:
        start = sql.removeprefix("BEGIN IMMEDIATE").removeprefix("BEGIN").split(" ")[0]
        if start:  # Django shows a statement that begins a transaction only for SQLite
            found.append(f"{start} 0" if "WHERE 1 = 0" in sql else start)
        return execute(sql, *arguments)

    with connections[alias].execute_wrapper(note):
        yield found
