"""The CPU time of each thread of this process, and the number of its wake-ups."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from time import perf_counter, sleep
from typing import NamedTuple

from benchmarks.measurements import Figures

_TASKS = Path("/proc/self/task")
_WAITED = re.compile(r"^voluntary_ctxt_switches:\s+(\d+)$", re.MULTILINE)


class _Use(NamedTuple):
    """The CPU time and wake-ups of a thread since its start."""

    seconds: float
    wakes: int


def watch(seconds: float) -> Figures:
    """
    Measure all threads except the calling one for ``seconds``. Return the CPU time in milliseconds per second and the
    wake-ups per second: ``cpu`` and ``wakes`` for all threads, and ``cpu: NAME`` and ``wakes: NAME`` for each thread
    that woke up. ``threads`` is the number of threads at the end.
    """
    before, began = _uses(), perf_counter()
    sleep(seconds)
    took, after = perf_counter() - began, _uses()
    figures: dict[str, float] = {"cpu": 0.0, "wakes": 0.0, "threads": len(after)}
    for name, use in after.items():
        former = before.get(name, _Use(0.0, 0))
        cpu, wakes = (use.seconds - former.seconds) / took * 1e3, (use.wakes - former.wakes) / took
        if wakes:
            figures |= {f"cpu: {name}": cpu, f"wakes: {name}": wakes}
            figures["cpu"] += cpu
            figures["wakes"] += wakes
    return figures


def _uses() -> Mapping[str, _Use]:
    """
    Return the total use of each thread except the calling one, by the thread's name. Threads of librdkafka have the
    names that the kernel knows. If a name occurs again, the thread's number is appended.
    """
    names = {thread.native_id: thread.name for thread in threading.enumerate()}
    uses = {}
    for task in _TASKS.iterdir():
        number = int(task.name)
        if number == threading.get_native_id():
            continue
        with suppress(FileNotFoundError, ProcessLookupError):  # the thread has ended meanwhile
            name = names.get(number) or f"{(task / 'comm').read_text().strip()}"
            name = name if name not in uses else f"{name} {number}"
            nanoseconds = int((task / "schedstat").read_text().split()[0])
            found = _WAITED.search((task / "status").read_text())
            uses[name] = _Use(nanoseconds / 1e9, int(found[1]) if found else 0)
    return uses
