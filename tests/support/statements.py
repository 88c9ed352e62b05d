"""Which statements a block has sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections


@contextmanager
def asked(alias: str = "default") -> Iterator[list[str]]:
    """Collect the statements of a block, by their first words; transactions and savepoints included."""
    found: list[str] = []

    def note(execute: Any, sql: str, *arguments: Any) -> Any:
        start = sql.removeprefix("BEGIN IMMEDIATE").removeprefix("BEGIN").split(" ")[0]
        if start:  # only SQLite begins by a statement that Django sees
            found.append(f"{start} 0" if "WHERE 1 = 0" in sql else start)
        return execute(sql, *arguments)

    with connections[alias].execute_wrapper(note):
        yield found
