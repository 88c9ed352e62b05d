"""A row of the tour as it is played."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import Any

from examples.changes import Arrivals, Change, differences
from examples.processes import Stage
from examples.rows import Row

_PATIENCE = 30.0
"""Seconds without any arrival after which what is missing counts as lost."""


class Scene:
    """A row, what its sender has done and what has arrived."""

    def __init__(self, row: Row, folder: Path) -> None:
        self.row = row
        self._sent: list[Change] = []
        self._arrivals = Arrivals(folder / f"{row.receiver}.sqlite3", row.table)

    def play(self, stage: Stage) -> None:
        """Let the sender act, and print what arrives."""
        print(f"\n{self.row.title}\n{self.row.story}\n\n{self._heading()}", flush=True)
        command = stage.start(self.row.sender, self.row.command)
        while command.exit_code is None:
            self.print_new()
            stage.pause(0.02)
        stage.finish(command)
        self._sent = command.lines()
        deadline = time.monotonic() + _PATIENCE
        while len(self._arrivals.all) < len(self._sent) and time.monotonic() < deadline:
            if self.print_new():
                deadline = time.monotonic() + _PATIENCE
            stage.pause(0.02)

    def print_new(self) -> bool:
        """Print what has arrived since the last time; return whether anything has."""
        changes = self._arrivals.new()
        for change in changes:
            took = datetime.fromisoformat(change["received_at"]) - datetime.fromisoformat(change["changed_at"])
            print(f"{self._cells(change)}  {took.total_seconds() * 1000:.0f} ms", flush=True)
        return bool(changes)

    def judge(self) -> bool:
        """Print and return whether what arrived is what was done."""
        self._arrivals.new()
        sent, arrived = self._sent, self._arrivals.all
        wrong = list(differences(sent, arrived, self.row.key))
        verdict = "WRONG" if wrong else "in order and equal"
        print(f"{self.row.title:<58} {len(sent)} made, {len(arrived)} arrived: {verdict}", flush=True)
        for difference in wrong:
            print(f"  {difference}", flush=True)
        return not wrong

    def _heading(self) -> str:
        return f"{self._cells({name: name.upper().replace('_', ' ') for name in self.row.columns})}  ARRIVED IN"

    def _cells(self, change: Change) -> str:
        return "  ".join(f"{_shown(change[name]):<{width}.{width}}" for name, width in self.row.columns.items())


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "–" if value in ("", None) else str(value)
