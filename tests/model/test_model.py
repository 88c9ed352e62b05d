"""
Every interleaving keeps the promises: none lost, order per key, nothing committed beyond what is settled.

The real classes run against a model of Kafka under a simulated clock. That the model can fail is shown by mutants of
the code, each of which it must catch.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

from tests.model.interleaving import Stuck
from tests.model.model import Broken, Model
from tests.support.scale import scaled

_PACKAGE = "event_bus_kafka.consuming"
_MODULES = ("progress", "lanes", "scheduler", "starting_offsets", "commits", "consumer")

MUTANTS = {
    "position is the highest done": (
        "progress",
        "            if not window[0].done:\n                return window[0]\n",
        "            if not any(delivery.done for delivery in window):\n                return window[0]\n",
    ),
    "offsets are taken for contiguous": (
        "progress",
        "                self.position = delivery.record.offset + 1\n",
        "                self.position = (self.position or 0) + 1\n",
    ),
    "what waits for its commit does not count": ("progress", "                self.passed += 1\n", ""),
    "busy is released on a retry": (
        "scheduler",
        "                    return\n                delivery.done = True\n",
        "                    actor.busy.release()\n                    return\n                delivery.done = True\n",
    ),
    "actors are dropped on a release": (
        "scheduler",
        "            partition.limit = _NOTHING\n",
        "            partition.limit = _NOTHING\n        self._actors.clear()\n",
    ),
    "no second look after the release": (
        "scheduler",
        "        if deliveries:  # one that came before the release found the actor busy\n",
        "        if False:\n",
    ),
    "dropped records are marked done": (
        "scheduler",
        "                delivery.dropped = True\n",
        "                delivery.dropped = delivery.done = True\n",
    ),
    "what is lost is committed": (
        "consumer",
        "        _, unfinished = self._hand_over(names, 0.0)\n",
        "        leaving, unfinished = self._hand_over(names, 0.0)\n"
        "        self._client._on_commit(names[0], Committed(10**6))\n",
    ),
    "what was read before a revoke is kept": ("consumer", "        self._early = self._assigned_of(self._early)\n", ""),
    "what a revoked partition brought is kept": ("consumer", "self._assigned_of(records)", "records"),
    "what was read before a move is kept": (
        "consumer",
        "            if (record.topic, record.partition) not in moved:\n",
        "            if True:\n",
    ),
    "records are taken before it is known where to begin": (
        "consumer",
        "        if moved is None:\n            return\n",
        "        moved = moved or set()\n",
    ),
    "a move is remembered before it is made": (
        "starting_offsets",
        "        client.positions.move(missing | offsets)\n        client.commit(",
        "        client.commit({name: Committed(0, metadata[name].at(0)) for name in offsets})\n"
        "        client.positions.move(missing | offsets)\n        (",
    ),
    "a move is not remembered": ("starting_offsets", "offset_time=self.time) for", "offset_time=None) for"),
    "commits forget what they carried": (
        "commits",
        "partition.metadata.at(offset) if partition.metadata else",
        '"" or',
    ),
    "groups that have committed nothing are not begun": (
        "starting_offsets",
        "move(missing | offsets)",
        "move(offsets)",
    ),
    "holes are not filled": (
        "scheduler",
        "        self._wait_while(lambda: any(map(self._has_hole_to_fill, leaving)), deadline)\n",
        "",
    ),
}


@contextmanager
def code(mutant: str = "") -> Iterator[dict[str, ModuleType]]:
    """Load the modules anew, one of them mutated."""
    name, before, after = MUTANTS.get(mutant, ("", "", ""))
    kept = {full: sys.modules.pop(full) for module in _MODULES if (full := f"{_PACKAGE}.{module}") in sys.modules}
    try:
        yield {module: _load(module, before if module == name else "", after) for module in _MODULES}
    finally:
        for module in _MODULES:
            del sys.modules[f"{_PACKAGE}.{module}"]
        sys.modules.update(kept)


def _load(name: str, before: str, after: str) -> ModuleType:
    full = f"{_PACKAGE}.{name}"
    spec = importlib.util.find_spec(full)
    assert spec is not None
    assert spec.origin is not None
    module = importlib.util.module_from_spec(spec)
    source = Path(spec.origin).read_text()
    assert before in source, f"the mutant is out of date: {before!r}"
    sys.modules[full] = module
    exec(compile(source.replace(before, after) if before else source, spec.origin, "exec"), module.__dict__)
    return module


@pytest.mark.timeout(3600)
@pytest.mark.long
def test_no_interleaving_breaks_a_promise() -> None:
    with code() as modules:
        for seed in range(scaled(200, long=7_000)):
            try:
                Model(modules, seed).run()
            except (Broken, Stuck) as broken:
                pytest.fail(f"seed {seed}: {type(broken).__name__} {broken}")


@pytest.mark.parametrize("mutant", MUTANTS)
def test_the_model_catches(mutant: str) -> None:
    with code(mutant) as modules:
        for seed in range(2_000):
            try:
                Model(modules, seed).run()
            except Exception:  # noqa: BLE001 a mutant may break in any way
                return
    pytest.fail(f"not caught: {mutant}")
