"""
Inserts each fault into a copy of the project, one fault at a time, and prints whether the fault's tests
detect it: ``make mutants``.

Exits with 0 only if tests detect each fault, and if the same tests succeed without a fault.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from tests.mutants.fault import PACKAGE, Fault, Stale
from tests.mutants.faults import FAULTS
from tests.services.downloads import cache_folder

ROOT = PACKAGE.parent
_LEFT_OUT = shutil.ignore_patterns(".*", "_build", "build", "dist", "*.egg-info")
_PYTEST = ("-m", "pytest", "-x", "-q", "-p", "no:cacheprovider")
_FAST = ("-m", "not real", "--timeout=100")
_REAL = ("-m", "real")
_PASSED, _FAILED = 0, 1
_WITHIN = 1_200
"""Time limit in seconds for the tests of a fault. A fault may make tests hang."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("words", nargs="*", help="only faults whose names or files contain one of these words")
    parser.add_argument("--fast", action="store_true", help="leave out faults that only tests on real services detect")
    arguments = parser.parse_args()
    faults = [fault for fault in FAULTS if _is_chosen(fault, arguments.words, fast=arguments.fast)]
    if output := _failure_without_fault(faults):
        print(f"{output}\nThe tests fail without any fault.")
        return 1
    found = [_try(fault) for fault in faults]
    survived = [fault.name for fault, is_caught in zip(faults, found, strict=True) if not is_caught]
    print(f"{len(faults) - len(survived)} of {len(faults)} faults are caught.", *survived, sep="\n  ")
    return bool(survived) or not faults


def _is_chosen(fault: Fault, words: Sequence[str], *, fast: bool) -> bool:
    is_named = not words or any(word in f"{fault.name} {fault.file}" for word in words)
    return is_named and not (fast and fault.real)


def _failure_without_fault(faults: Sequence[Fault]) -> str:
    """
    Run the tests without a fault. Return the output if tests fail, otherwise an empty text. Tests that fail without a
    fault would seem to detect every fault.
    """
    with _copy() as folder:
        for options, tests in ((_FAST, [fault.tests for fault in faults]), (_REAL, [fault.real for fault in faults])):
            named = sorted({test for some in tests for test in some})
            if named:
                ended, output = _run(folder, options, named)
                if ended != _PASSED:
                    return output
    return ""


def _try(fault: Fault) -> bool:
    """Insert the fault, run its tests, and print a line of the table. Return whether a test detected the fault."""
    began = monotonic()
    try:
        caught = _catch(fault)
    except Stale as stale:
        caught = f"STALE: {stale}"
    is_caught = caught in ("fast", "real")
    print(f"{caught:<10}  {monotonic() - began:4.0f} s  {fault.room:<20}  {fault.name} → {fault.harm}", flush=True)
    return is_caught


def _catch(fault: Fault) -> str:
    """
    Return ``fast`` or ``real``, the kind of tests that detect the fault, or a text that describes another result.
    Raises :class:`Stale`.
    """
    with _copy() as folder:
        (folder / PACKAGE.name / fault.file).write_text(fault.source())
        for name, options, tests in (("fast", _FAST, fault.tests), ("real", _REAL, fault.real)):
            ended, output = _run(folder, options, tests) if tests else (_PASSED, "")
            if ended == _FAILED:
                return name
            if ended != _PASSED:
                print(output)
                return f"PYTEST {ended}"
    return "NOT CAUGHT"


@contextmanager
def _copy() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="mutant-") as name:
        yield Path(shutil.copytree(ROOT, Path(name) / "project", ignore=_LEFT_OUT))


def _run(folder: Path, options: Sequence[str], tests: Sequence[str]) -> tuple[int, str]:
    """
    Run tests in a copy of the project; return the exit code and the output of pytest. Tests that do not end in time
    count as failed.
    """
    environment = os.environ | {"PYTHONPATH": str(folder), "EVENT_BUS_KAFKA_SERVICES_CACHE": str(cache_folder())}
    command = [sys.executable, *_PYTEST, *options, *(f"tests/{test}" for test in tests)]
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=_WITHIN, check=False
        )
    except subprocess.TimeoutExpired:
        return _FAILED, ""
    return done.returncode, done.stdout + done.stderr


if __name__ == "__main__":
    sys.exit(main())
