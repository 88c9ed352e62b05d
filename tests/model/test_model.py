"""
In random interleavings of threads no event is lost, the events of each key stay in order, and no offset of an
unfinished record is committed.

The real classes run with a model of Kafka and a simulated clock. The model must detect each of the listed faults in the
code; this proves that its checks can fail.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

from tests.model.faults import FAULTS, ModelFault
from tests.model.interleaving import Stuck
from tests.model.model import Broken, Model
from tests.mutants.fault import Fault, Stale
from tests.support.scale import scaled

_PACKAGE = "event_bus_kafka.consuming"
_MODULES = ("progress", "lanes", "scheduler", "starting_offsets", "commits", "consumer")


@contextmanager
def code(fault: Fault | None = None) -> Iterator[dict[str, ModuleType]]:
    """
    Load the modules again. If ``fault`` is given, one module contains the fault. Raises :class:`Stale` if the code that
    the fault replaces does not occur exactly once.
    """
    kept = {full: sys.modules.pop(full) for module in _MODULES if (full := f"{_PACKAGE}.{module}") in sys.modules}
    try:
        yield {module: _load(module, fault) for module in _MODULES}
    finally:
        for module in _MODULES:
            sys.modules.pop(f"{_PACKAGE}.{module}", None)
        sys.modules.update(kept)


def _load(name: str, fault: Fault | None) -> ModuleType:
    full = f"{_PACKAGE}.{name}"
    spec = importlib.util.find_spec(full)
    assert spec is not None
    assert spec.origin is not None
    module = importlib.util.module_from_spec(spec)
    is_faulty = fault is not None and fault.file == f"consuming/{name}.py"
    source = fault.source() if fault and is_faulty else Path(spec.origin).read_text()
    sys.modules[full] = module
    exec(compile(source, spec.origin, "exec"), module.__dict__)
    return module


@pytest.mark.timeout(3600)
@pytest.mark.long
def test_no_random_interleaving_loses_or_reorders_an_event() -> None:
    with code() as modules:
        for seed in range(scaled(200, long=7_000)):
            try:
                Model(modules, seed).run()
            except (Broken, Stuck) as broken:
                pytest.fail(f"seed {seed}: {type(broken).__name__} {broken}")


@pytest.mark.timeout(1200)  # a seed gives a different interleaving in each version of Python
@pytest.mark.parametrize("fault", [pytest.param(fault, id=fault.name) for fault in FAULTS])
def test_the_model_detects_each_injected_fault(fault: ModelFault) -> None:
    try:
        with code(fault) as modules:
            for seed in range(fault.seed, fault.seed + 10_000):
                try:
                    Model(modules, seed).run()
                except Exception:  # noqa: BLE001 a fault may show in any way
                    return
    except Stale:
        pytest.skip("tests/mutants/test_places.py says that its code has changed")
    pytest.fail(f"not caught: {fault.name}")
