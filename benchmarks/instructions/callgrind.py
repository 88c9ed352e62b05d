"""
Counts instructions. callgrind runs the process and writes a file for each run of a work. The difference between a
work's two runs is the cost of its additional events.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from event_bus_kafka.sandbox.schema_registry import SchemaRegistryServer

SMALL, LARGE = 20, 100
"""Numbers of events in the first and in the second run of each work."""
Counts = Mapping[tuple[str, str], float]
"""Instructions per event, by operation and variant."""
_HERE = Path(__file__).parent
_ROOT = _HERE.parents[1]
_PATIENCE = 600.0
"""Maximum number of seconds that the process may take. On a quiet machine the process takes half a minute."""
_NAME = re.compile(r"^desc: Trigger: Client Request: (\w+) (\w+) (\d+)$", re.MULTILINE)
_TOTAL = re.compile(r"^totals: (\d+)$", re.MULTILINE)


def count() -> Counts:
    """Return the number of instructions per event for each work. Needs valgrind and gcc."""
    registry = SchemaRegistryServer()
    registry.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            _run(Path(folder), registry.url)
            return per_event(path.read_text() for path in Path(folder).glob("counts*"))
    finally:
        registry.stop()


def per_event(files: Iterable[str]) -> Counts:
    """
    Return the instructions per event from callgrind's files. They are computed from the difference between the two runs
    of each work.
    """
    runs: defaultdict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for text in files:
        if (name := _NAME.search(text)) and (total := _TOTAL.search(text)):
            runs[name[1], name[2]].append((int(name[3]), int(total[1])))
    return {work: _slope(*sorted(found)) for work, found in runs.items()}


def _slope(small: tuple[int, int], large: tuple[int, int]) -> float:
    return (large[1] - small[1]) / (large[0] - small[0])


def _run(folder: Path, registry: str) -> None:
    counter = folder / "counter.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-nostdlib", "-O1", "-o", counter, _HERE / "counter.c"], check=True)
    callgrind = ["valgrind", "--quiet", "--tool=callgrind", "--instr-atstart=no"]
    process = [sys.executable, "-m", "benchmarks.instructions.process", str(counter), str(SMALL), str(LARGE)]
    subprocess.run(
        [*callgrind, f"--callgrind-out-file={folder}/counts", *process],
        cwd=_ROOT,
        env=os.environ
        | {
            "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
            "BENCHMARK": json.dumps({"registry": registry, "topics": ["counted"]}),  # no work connects to Kafka
            "PYTHONHASHSEED": "0",
        },
        timeout=_PATIENCE,
        check=True,
    )
