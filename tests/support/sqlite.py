"""Creates SQLite databases in files. Several threads can use these databases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management import call_command

from tests.support.databases import connected


@contextmanager
def on_sqlite(folder: Path, alias: str, *, migrated: bool = True) -> Iterator[Path]:
    """While the block runs, an alias refers to a new database. Yield the file of the database."""
    file = folder / alias
    entry: dict[str, Any] = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(file)}
    with connected(entry, alias):
        if migrated:
            call_command("migrate", database=alias, verbosity=0)
        yield file
